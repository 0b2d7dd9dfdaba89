"""What a file that is no attribution graph looks like, for the line that says so."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ingest.graphs.streaming import first_bytes

__all__ = ["describe_keys", "describe_start", "is_foreign"]

ASK = "Ask for the JSON that its tool writes"
STARTS = (
    (b"PK\x03\x04", "it is a zip file, such as torch.save writes (circuit-tracer's *.pt). "
     f"{ASK}; no pickle is read"),
    (b"\x80", f"it is a pickle, which is never read. {ASK}"),
    (b"<", "it is XML (GraphML, GEXF), which is only written. Take the JSON"),
    (b"RGF", "it is a store of lib-graph. Name it with --store"),
    (b"PAR1", "it is Parquet. A run folder has a manifest.json: name the folder"),
    (b"[", "it is a list. A graph is an object with metadata, nodes and links"),
)  # fmt: skip
FOREIGN = (
    ({"graphs"}, "it is the index of a folder of graphs (graph-metadata.json). Name the folder, or "
     "one of the graphs"),
    ({"elements"}, "it looks like Cytoscape JSON, and has no metadata and links"),
    ({"directed", "multigraph"}, "it looks like the node-link JSON of networkx, and has no "
     "metadata with prompt_tokens"),
    ({"run", "features", "interactions"}, "it is a circuit of lib-graph: 'lib-graph circuits "
     "import' takes it"),
    ({"run_id", "layers", "files"}, "it is the manifest of a run: name its folder"),
    ({"examples_quantiles"}, "it is the page of a feature, not a graph"),
    ({"pinnedIds"}, "it is a saved view of a graph, not the graph"),
)  # fmt: skip
PARTS = (
    ({"nodes", "links"}, "it looks like one, but metadata with prompt_tokens, or its nodes, are "
     "missing"),
    ({"metadata", "nodes"}, "it looks like one, but its links are missing"),
    ({"metadata", "links"}, "it looks like one, but its nodes are missing"),
)  # fmt: skip


def describe_start(path: Path) -> str:
    """Return what a file that is no JSON object begins like."""
    start = first_bytes(path)
    if not start:
        return "it is empty"
    for mark, said in STARTS:
        if start.startswith(mark) or start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(mark):
            return said
    return "it is not JSON. A graph is an object with metadata, nodes and links"


def describe_keys(keys: Collection[str]) -> str:
    """Return what an object with these keys looks like, and what it has not."""
    for mark, said in (*FOREIGN, *PARTS):
        if mark <= set(keys):
            return said
    missing = [name for name in ("metadata", "nodes", "links") if name not in keys]
    return f"it is a JSON object without {', '.join(missing) or 'nodes'}"


def is_foreign(keys: Collection[str]) -> bool:
    """Return whether an object with these keys is what another kind of file holds."""
    return any(mark <= set(keys) for mark, _ in FOREIGN)
