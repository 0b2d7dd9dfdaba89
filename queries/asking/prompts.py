"""What a store says of an attribution graph beside any other run: its prompt, and its nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lib_graph.run import Manifest
from lib_graph.run.prompt import PromptInfo
from lib_graph.support.tables import Record
from queries.asking.reader import Reader
from queries.asking.statements import Statement, read_text

__all__ = ["PromptGraph", "read_prompt"]


@dataclass(frozen=True, eq=False)
class PromptGraph:
    """The prompt of an attribution graph, and what it says of each node, by id, in their order."""

    info: PromptInfo
    nodes: Mapping[str, Record]
    statements: tuple[Statement, ...] = field(default=(), repr=False)


def read_prompt(reader: Reader) -> PromptGraph | None:
    """Return what an attribution graph is of; None for a run over data."""
    if not reader.skips:
        return None
    (row,) = reader.rows(read_text("run_manifest"))
    info = Manifest.model_validate_json(row["manifest"]).prompt
    assert info is not None
    nodes = reader.rows(read_text("prompt_nodes"))
    return PromptGraph(info, {str(node.pop("id")): node for node in nodes}, reader.statements)
