"""Our numbers beside the published ones, as a table for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lib_graph.support.tables import records_of
from lib_graph.support.view import View
from queries.views.cells import fixed_cell, share_cell, text_cell

if TYPE_CHECKING:
    from queries.comparing.reproduction import Reproduction

__all__ = ["reproduction_view"]

NAMED = ("quantity", "basis", "layer")


def reproduction_view(found: Reproduction) -> View:
    """Return the table, without the columns of what was not run."""
    shown = found.networks
    rows = [
        (
            *(text_cell(row[name]) for name in NAMED),
            *(_cell(row["quantity"], row[name]) for name in shown),
        )
        for row in records_of(found.frame)
    ]
    return View((*NAMED, *shown), rows, frozenset(shown), below=found.notes)


def _cell(quantity: str, value: float | None) -> str:
    if quantity == "edges required":
        return "" if value is None else f"{value:.1f}".removesuffix(".0")
    return fixed_cell(value) if quantity == "modularity" else share_cell(value)
