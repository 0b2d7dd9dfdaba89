"""Traces and attribution graphs of a prompt, token by token, as a table for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lib_graph.support.tables import records_of
from lib_graph.support.view import View
from queries.views.cells import share_cell

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["tokens_view"]

BELOW = (
    "nodes: of a graph; of a trace, features that anything flows into, at all layers. n90: those\n"
    "that make up 90 % of the strength there. share: of the strength into a layer, the part that\n"
    "flows in at this token, mean over the layers. --json has all of it by layer."
)


def tokens_view(tokens: pd.DataFrame, called: Mapping[str, str]) -> View:
    """Return a row per piece of text and run; `called` has the name of each run."""
    by = tokens.groupby(["place", "run"], sort=False).agg(
        token=("token", "first"), nodes=("nodes", "sum"), n90=("for_90", "sum"),
        share=("share", "mean"),
    )  # fmt: skip
    rows = [
        (
            str(row["place"]),
            row["token"].replace("\n", "⏎"),
            called[row["run"]],
            str(row["nodes"]),
            str(row["n90"]),
            share_cell(row["share"], 1),
        )
        for row in records_of(by.reset_index())
    ]
    numbers = frozenset(["at", "nodes", "n90", "share"])
    return View(("at", "token", "run", "nodes", "n90", "share"), rows, numbers, below=BELOW)
