"""An attribution graph as a run folder: its nodes are features, its links interactions.

The strength of an interaction is the size of its weight, its effect the weight itself, its share
the part of all sizes into its target. Nodes are numbered through the whole run, by layer, position,
number and id, so that the same graph gives the same run whoever wrote its file.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ingest.graphs.labels import node_labels
from ingest.graphs.nodes import Node
from ingest.graphs.reading import GraphFile
from lib_graph.run import Run
from lib_graph.run.labels import as_label
from lib_graph.run.prompt import NODE_COLUMNS, PromptInfo, made_label, usual_fields
from lib_graph.run.schema import FEATURES
from lib_graph.run.writing import write_features, write_interactions, write_manifest
from lib_graph.support.files import json_sha256
from lib_graph.support.texts import json_text

__all__ = ["BASIS", "write_run"]

BASIS = "attribution graph"
"""What stands where a run over data says its basis"""

ENDS = ("embedding", "logit")
Ints = NDArray[np.int64]


def write_run(graph: GraphFile, out: Path) -> Run:
    """Write a graph into the folder `out`, and return the run."""
    features = _features(graph)
    links = _links(graph, features)
    features = features.sort_values("index", ignore_index=True)
    run = _run_id(graph, features, links)
    origin = {"graph": run}
    write_features(out / "features.parquet", features.assign(run=run), origin)
    write_interactions(out / "interactions.parquet", iter([links.assign(run=run)]), origin)
    return write_manifest(out, _manifest(graph, run, features))


def _features(graph: GraphFile) -> pd.DataFrame:
    """Return a row per node, in the order of the file: the columns of a feature and of a node."""
    nodes = graph.nodes
    layer = graph.layer.tolist()
    number = [graph.number(node) for node in nodes]
    token = [graph.tokens[n.position] if n.token is None else n.token for n in nodes]
    labels = node_labels(graph.view, nodes)
    made = zip(nodes, number, token, labels, strict=True)
    columns: dict[str, Any] = {
        "run": "",
        "layer": [graph.layers[at] for at in layer],
        "layer_index": graph.layer,
        "index": _numbered(nodes, layer, number),
        "role": [node.role for node in nodes],
        "importance": np.nan,
        "variance": np.nan,
        "label": [label or made_label(n.role, at, word) for n, at, word, label in made],
        "label_score": np.nan,
        "node": [node.id for node in nodes],
        "kind": [node.kind for node in nodes],
        "depth": _whole(None if node.role in ENDS else node.depth[0] for node in nodes),
        "position": [node.position for node in nodes],
        "number": _whole(number),
        "token": token,
        "activation": _floats(node.activation for node in nodes),
        "influence": _floats(node.influence for node in nodes),
        "probability": _floats(node.probability for node in nodes),
        "extra": [_extra(node, at) for node, at in zip(nodes, number, strict=True)],
    }
    return pd.DataFrame(columns)[[*FEATURES.names, *NODE_COLUMNS.names]]


def _numbered(nodes: Sequence[Node], layer: list[int], number: list[int | None]) -> Ints:
    """Return the index of each node in its run: its place by layer, position, role, number, id."""

    def place(at: int) -> tuple[Any, ...]:
        node, known = nodes[at], number[at]
        order = layer[at], node.position, node.role, known is None, known or 0
        return *order, node.id, node.kind

    index = np.empty(len(nodes), dtype=np.int64)
    index[sorted(range(len(nodes)), key=place)] = np.arange(len(nodes))
    return index


def _whole(values: Iterable[int | None]) -> Any:
    return pd.array(list(values), dtype="Int64")


def _floats(values: Iterable[float | None]) -> Any:
    return np.array(list(values), dtype=np.float64)


def _extra(node: Node, number: int | None) -> str | None:
    """Return, as JSON, what the file says of a node beside its columns and what is as usual."""
    layer = node.layer if node.role in ENDS else str(node.depth[0])
    usual = usual_fields(node.role, layer, number, node.position, node.probability)
    kept = {key: value for key, value in node.given.items() if not _same(value, usual[key])}
    if as_label(node.label) != node.label:
        kept["clerp"] = node.label
    if node.rest is not None:
        kept |= json.loads(node.rest)
    return json_text(dict(sorted(kept.items()))) if kept else None


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _links(graph: GraphFile, features: pd.DataFrame) -> pd.DataFrame:
    """Return a row per link with the columns of an interaction."""
    index = features["index"].to_numpy()
    names = np.array(graph.layers, dtype=object)
    size = np.abs(graph.weight)
    into = np.bincount(graph.target, weights=size, minlength=len(index))
    return pd.DataFrame(
        {
            "run": "",
            "source_layer": names[graph.layer[graph.source]],
            "source": index[graph.source],
            "target_layer": names[graph.layer[graph.target]],
            "target": index[graph.target],
            "strength": size,
            "stderr": np.nan,
            "effect": graph.weight,
            "share": size / into[graph.target],
        }
    )


def _run_id(graph: GraphFile, features: pd.DataFrame, links: pd.DataFrame) -> str:
    """Return the id of a graph: what is in it, whatever its labels and saved view."""
    nodes = features[["layer", "role", *NODE_COLUMNS.names]].drop(columns="extra")
    digest = {
        "prompt": [graph.metadata.get("slug"), graph.metadata.get("scan"), list(graph.tokens)],
        "nodes": _digest(nodes),
        "links": _digest(links[["source", "target", "effect"]]),
    }
    return json_sha256(digest)[:12]


def _digest(frame: pd.DataFrame) -> str:
    rows = pd.util.hash_pandas_object(frame, index=False).to_numpy(dtype=np.uint64)
    return f"{len(rows)}:{int(np.add.reduce(rows, dtype=np.uint64)):016x}"


def _manifest(graph: GraphFile, run: str, features: pd.DataFrame) -> dict[str, Any]:
    """Return the fields of the manifest, but for the files' hashes."""
    said = graph.metadata
    slug = str(said.get("slug") or graph.path.name.removesuffix(".gz").removesuffix(".json"))
    scan = str(said.get("scan") or "unknown")
    text = said.get("prompt")
    counts = features["layer_index"].value_counts()
    return {
        "run_id": run,
        "name": slug,
        "created": _created(said),
        "versions": {"lib-graph": importlib.metadata.version("lib-graph")},
        "seed": 0,
        "dtype": "float64",
        "config": {"input": text if isinstance(text, str) else "".join(graph.tokens)},
        "model": {"name": scan, "source": scan, "sha256": "", "parameters": 0, "biases": ()},
        "data": {"name": slug, "sha256": "", "samples": 1, "positions": len(graph.tokens)},
        "basis": BASIS,
        "base": None,
        "prompt": PromptInfo(
            format=graph.format,
            slug=slug,
            scan=scan,
            text=text if isinstance(text, str) else "".join(graph.tokens),
            tokens=tuple(graph.tokens),
            metadata=dict(said),
            view=dict(graph.view),
            extra=dict(graph.extra),
            notes=tuple(graph.notes),
        ),
        "layers": [
            {
                "index": number, "name": name, "width": int(counts[number]), "pca_rank": 0,
                "features": int(counts[number]), "positions": len(graph.tokens), "kind": "raw",
            }
            for number, name in enumerate(graph.layers)
        ],
        "cutoffs": {}, "timings": {}, "checks": {}, "notes": tuple(graph.notes),
    }  # fmt: skip


def _created(metadata: Any) -> str:
    """Return when a graph was made, where it says so; else when it was read."""
    info = metadata.get("info")
    made = info.get("create_time_ms") if isinstance(info, dict) else None
    utc = datetime.timezone.utc
    try:
        when = datetime.datetime.fromtimestamp(made / 1000, utc)  # type: ignore[operator]
    except (TypeError, ValueError, OverflowError, OSError):
        when = datetime.datetime.now(utc)
    return when.isoformat(timespec="seconds")
