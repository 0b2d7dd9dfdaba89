"""What a report is of, and how its answers are got at the command line."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from functools import cached_property

from lib_graph.run import Manifest, Run
from queries.asking.reader import Reader
from queries.asking.statements import read_text
from queries.graph import Graph

__all__ = ["Source"]


@dataclass(frozen=True)
class Source:
    """A run in a store, with its folder where that is at hand.

    `store` is what --store has to say where it is not the default.
    """

    graph: Graph
    folder: Run | None = None
    store: str | None = None

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest of the run, as the store has it."""
        reader = Reader(self.graph.store, self.graph.run.id)
        (row,) = reader.rows(read_text("run_manifest"))
        return Manifest.model_validate_json(row["manifest"])

    @property
    def path(self) -> str:
        """The run's folder as a shell takes it; RUN where it is not known."""
        return "RUN" if self.folder is None else shlex.quote(str(self.folder.path))

    def ask(self, text: str) -> str:
        """Return the command that asks the store."""
        where = "" if self.store is None else f" --store {shlex.quote(self.store)}"
        return f"lib-graph {text} --run {self.graph.run.id}{where}"

    def ingest(self, what: str | None = None) -> str:
        """Return the command that brings the run into the store, or `what` that it is made of."""
        where = "" if self.store is None else f" --store {shlex.quote(self.store)}"
        return f"lib-graph ingest {what or self.path}{where}"
