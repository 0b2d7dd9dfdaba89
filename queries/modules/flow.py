"""The graph of modules: each module is one node, and what flows between two is one edge."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from lib_graph.support.showing import Display, Displayed
from lib_graph.support.tables import Record, records_of
from queries.asking.statements import Statement
from queries.asking.tables import Table
from queries.modules.communities import Communities

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["ModuleFlow", "module_flow"]

COLUMNS = ["source", "target", "interactions", "strength", "share"]
MODULE_COLUMNS = ["index", "size", "span", "layers", "labels"]


@dataclass(frozen=True, eq=False, repr=False)
class ModuleFlow(Displayed):
    """What flows between modules.

    `modules` has index, size, span, layers and labels of each; `flows` a row for each two modules
    with interactions from a feature of `source` to one of `target`: their number, and the sums of
    their strengths and shares. What stays within a module is a row with source = target.
    """

    run: str
    modules: pd.DataFrame
    flows: pd.DataFrame
    statements: tuple[Statement, ...] = ()

    def to_pandas(self) -> pd.DataFrame:
        """Return the flows."""
        return self.flows.copy()

    def to_networkx(self) -> nx.DiGraph[int]:
        """Return a directed graph whose nodes are the numbers of the modules."""
        import networkx as nx

        graph: nx.DiGraph[int] = nx.DiGraph()
        for row in records_of(self.modules[["index", "size", "span"]]):
            graph.add_node(row.pop("index"), **row)
        for row in records_of(self.flows):
            graph.add_edge(row.pop("source"), row.pop("target"), **row)
        return graph

    def json_value(self) -> Record:
        """Return run, modules and flows."""
        return {
            "run": self.run,
            "modules": records_of(self.modules),
            "flows": records_of(self.flows),
        }

    def _display(self) -> Display:
        from queries.notebook.answers import module_flow_display

        return module_flow_display(self)


def module_flow(communities: Communities, sections: Iterable[Table]) -> ModuleFlow:
    """Return the graph of modules, from all interactions of the run, a section at a time."""
    module = communities.membership()
    parts = []
    statements: list[Statement] = []
    for section in sections:
        ends = {end: section.frame[end].map(module) for end in ("source", "target")}
        rows = section.frame[["strength", "share"]].assign(**ends).dropna(subset=list(ends))
        parts.append(rows.astype({"source": "int64", "target": "int64"}))
        statements += section.statements
    rows = pd.concat(parts) if parts else pd.DataFrame(columns=COLUMNS, dtype=float)
    flows = (
        rows.groupby(["source", "target"], as_index=False)
        .agg(interactions=("share", "size"), strength=("strength", "sum"), share=("share", "sum"))
        .sort_values(["share", "source", "target"], ascending=[False, True, True])
    )
    return ModuleFlow(
        communities.run,
        communities.to_pandas()[MODULE_COLUMNS],
        flows[COLUMNS].reset_index(drop=True),
        (*communities.statements, *statements),
    )
