"""In which attribution graphs a feature is, as a table for a person."""

from __future__ import annotations

from lib_graph.support.view import View
from queries.asking.tables import Table
from queries.views.answers import short_id
from queries.views.cells import number_cell, share_cell, text_cell

__all__ = ["graphs_view"]

SHOWN = 24  # characters of a prompt


def graphs_view(table: Table, needs: str | None) -> View:
    """Return the rows of `graphs_with`: ids without their run, and both ends of each prompt."""
    columns = ("graph", "feature", "at", "token", "act.", "infl.", "inputs", "prompt")
    rows = [
        (
            text_cell(row["graph"]),
            short_id(row["feature"]),
            text_cell(row["position"]),
            text_cell(row["token"]).strip(),
            number_cell(row["activation"]),
            number_cell(row["influence"]),
            ", ".join(
                f"{share_cell(share)} {label}"
                for label, share in zip(row["inputs"], row["shares"], strict=True)
            ),
            _ends(" ".join(text_cell(row["prompt"]).split())),
        )
        for row in table.records()
    ]
    below = "--json, --csv and --parquet have whole ids, prompts and shares."
    if not rows:
        below = f"No rows. {needs or ''}".strip()
    numbers = frozenset(["at", "act.", "infl."])
    return View(columns, rows, numbers, frozenset(["feature", *numbers]), below=below)


def _ends(text: str) -> str:
    """Return both ends of a text of more than SHOWN characters; prompts often begin alike."""
    return text if len(text) <= SHOWN else f"{text[: SHOWN // 3]}…{text[-(2 * SHOWN // 3) :]}"
