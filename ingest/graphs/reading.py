"""An attribution graph of one prompt, read from its file and checked: nodes and links as arrays."""

from __future__ import annotations

import json
import math
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ingest.graphs.ends import resolve_ends
from ingest.graphs.foreign import describe_keys, describe_start, is_foreign
from ingest.graphs.layers import order_layers
from ingest.graphs.nodes import (
    BadGraphError,
    Node,
    Numbering,
    numbering_of,
    read_node,
    shown,
    whole_text,
)
from ingest.graphs.streaming import JsonStream, Part, first_bytes
from lib_graph.errors import RunError
from lib_graph.support.texts import json_text

__all__ = ["GraphFile", "is_graph_file", "read_graph"]

MOST_NODES = 200_000
MOST_LINKS = 5_000_000
LARGEST_WEIGHT = 1e300  # so that sums are numbers
MOST_BESIDE = 64 << 20  # of all but nodes and links of usual length: `JsonStream.taken`
USUAL = 1024  # characters of a node or a link; those of real graphs have up to 400
LISTS = ("nodes", "links")
OTHERS = ("metadata", "qParams")


@dataclass(frozen=True, eq=False)
class GraphFile:
    """A graph as its file has it. `source` and `target` are numbers of nodes, of each link.

    `number` gives a feature's number in its dictionary; `layers` are the names of the layers in the
    order of the computation, and `layer` says which each node is in.
    """

    path: Path
    format: str
    number: Numbering
    nodes: Sequence[Node]
    layers: Sequence[str]
    layer: NDArray[np.int64]
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    weight: NDArray[np.float64]
    metadata: Mapping[str, Any]
    view: Mapping[str, Any]
    extra: Mapping[str, Any]
    tokens: Sequence[str]
    notes: Sequence[str]


@dataclass(frozen=True, eq=False)
class _Found:
    """What was read so far. Links are numbers of ids, in the order in which ids came up."""

    nodes: list[Node] = field(default_factory=list)
    ids: dict[str, int] = field(default_factory=dict)
    source: array[int] = field(default_factory=lambda: array("l"))
    target: array[int] = field(default_factory=lambda: array("l"))
    weight: array[float] = field(default_factory=lambda: array("d"))
    extra: dict[str, Any] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)

    def add_nodes(self, raw: Sequence[Any]) -> None:
        """Take nodes; raises BadGraphError if one is none."""
        self.nodes.extend(map(read_node, raw))
        if len(self.nodes) > MOST_NODES:
            raise BadGraphError(f"it has more than {MOST_NODES:,} nodes")

    def add_links(self, raw: Sequence[Any]) -> None:
        """Take links; raises BadGraphError if one is none."""
        known = self.ids
        for link in raw:
            source, target, weight = _ends_and_weight(link)
            self.source.append(known.setdefault(source, len(known)))
            self.target.append(known.setdefault(target, len(known)))
            self.weight.append(weight)
        if len(self.weight) > MOST_LINKS:
            raise BadGraphError(f"it has more than {MOST_LINKS:,} links")
        if len(known) > MOST_NODES:
            raise BadGraphError(f"its links have more than {MOST_NODES:,} ends")


def _ends_and_weight(link: Any) -> tuple[str, str, float]:
    if not isinstance(link, dict):
        raise BadGraphError("a link is no object")
    source, target, weight = link.get("source"), link.get("target"), link.get("weight")
    if not isinstance(source, str) or not isinstance(target, str):
        raise BadGraphError("a link has no source or no target")
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise BadGraphError(f"{_link(source, target)} has no weight")
    try:
        value = float(weight)
    except OverflowError:
        value = math.inf
    if not abs(value) <= LARGEST_WEIGHT:
        raise BadGraphError(f"{_link(source, target)} has the weight {value}")
    return whole_text(source), whole_text(target), value


def _link(source: str, target: str) -> str:
    return f"the link {source[:40]} > {target[:40]}"


def is_graph_file(path: Path) -> bool:
    """Return whether a file may be a graph: JSON, packed or not, that is an object."""
    return first_bytes(path).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{"


def read_graph(path: Path) -> GraphFile:
    """Return the graph in a file, its fields checked.

    Raises RunError, in one line that says what the file looks like and what is missing, if it is no
    attribution graph.
    """
    if not path.is_file():
        raise RunError(f"There is no file {str(path)!r}.")
    if not is_graph_file(path):
        raise RunError(f"{str(path)!r} is no attribution graph: {describe_start(path)}.")
    found, stream, beside = _Found(), JsonStream(path, USUAL), 0
    try:
        for key, value in stream.entries(LISTS):
            found.keys.add(key)
            if isinstance(value, Part):
                beside += value.beyond
                take = found.add_nodes if key == "nodes" else found.add_links
                take(value.items)
            else:
                beside += len(key) + stream.taken
                found.extra[key] = value
            if beside > MOST_BESIDE:
                raise BadGraphError(
                    f"with its {shown(key)} it has more than {MOST_BESIDE >> 20} MiB of metadata, "
                    "qParams, other keys, and fields of nodes and links"
                )
        return _checked(path, found)
    except BadGraphError as error:
        if not is_foreign(found.keys):
            raise RunError(f"{str(path)!r} looks like an attribution graph, but {error}.") from None
        _refuse(path, found)


def _refuse(path: Path, found: _Found) -> NoReturn:
    raise RunError(f"{str(path)!r} is no attribution graph: {describe_keys(found.keys)}.")


def _checked(path: Path, found: _Found) -> GraphFile:
    """Return what was read as a graph; raises BadGraphError or RunError if it is none."""
    metadata, view = (found.extra.pop(name, None) for name in OTHERS)
    tokens = metadata.get("prompt_tokens") if isinstance(metadata, dict) else None
    if not found.nodes or not isinstance(metadata, dict):
        _refuse(path, found)
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise BadGraphError("its metadata have no prompt_tokens, a list of texts")
    for node in found.nodes:
        if node.position >= len(tokens):
            raise BadGraphError(
                f"node {node.id!r} has the ctx_idx {node.position}, and there are {len(tokens)} "
                "prompt_tokens"
            )
    weight = np.array(found.weight, dtype=np.float64)
    kept = weight != 0  # those of 0 may lead anywhere: circuit-tracer writes all pairs, if asked to
    ends = (np.asarray(side, dtype=np.int64)[kept] for side in (found.source, found.target))
    source, target, notes = resolve_ends(found.nodes, found.ids, *ends)
    layers, layer, moved = order_layers(found.nodes, source, target)
    if nothing := int((~kept).sum()):
        notes.append(f"{nothing} links of weight 0 are left out")
    numbering, number = numbering_of(found.nodes)
    return GraphFile(
        path, _format(found.nodes, metadata, numbering), number, found.nodes, layers, layer,
        source, target, weight[kept], _plain(metadata),
        _plain(view if isinstance(view, dict) else {}), _plain(found.extra),
        [whole_text(token) for token in tokens], [*notes, *moved],
    )  # fmt: skip


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object as files may hold it again: NaN is null."""
    plain: dict[str, Any] = json.loads(json_text(value))
    return plain


def _format(nodes: Sequence[Node], metadata: Mapping[str, Any], numbering: str) -> str:
    """Return whose layout a graph has."""
    info = metadata.get("info")
    generator = info.get("generator") if isinstance(info, dict) else None
    name = generator.get("name") if isinstance(generator, dict) else None
    if name == "lib-graph":
        return "lib-graph"
    kinds = Counter(node.kind for node in nodes)
    if "lorsa" in kinds or any("_cro_" in node.id for node in nodes):
        return "OpenMOSS"
    if any(node.id.startswith(("intermediate_", "output_")) for node in nodes):
        return "EleutherAI attribute"
    if numbering == "plain" and "schema_version" not in metadata:
        return "Anthropic"
    return f"circuit-tracer, {numbering}"
