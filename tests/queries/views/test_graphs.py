"""The table of the graphs that a feature is in."""

from __future__ import annotations

import pandas as pd

from queries.asking.tables import Table
from queries.views.graphs import graphs_view

COLUMNS = ["graph", "feature", "position", "token", "activation", "influence", "inputs", "shares",
           "prompt"]  # fmt: skip


def table(*rows: tuple[object, ...]) -> Table:
    return Table(pd.DataFrame(rows, columns=COLUMNS))


def test_cells_are_for_a_person() -> None:
    prompt = "The capital of the state\ncontaining Dallas is"
    row = ("dallas", "0123456789ab/0/13", 1, " The", 2.5, 0.77581234, ['"The"', "say a"],
           [2 / 3, 1 / 3], prompt)  # fmt: skip
    view = graphs_view(table(row), None)
    (cells,) = view.rows
    assert cells == ("dallas", "0/13", "1", "The", "2.5", "0.7758", '67% "The", 33% say a',
                     "The capi…aining Dallas is")  # fmt: skip
    assert len(cells[-1]) <= 25
    (cells,) = graphs_view(table((*row[:-1], prompt[:24])), None).rows
    assert cells[-1] == prompt[:24]


def test_what_is_missing_is_empty_and_no_rows_say_why() -> None:
    row = ("g", "0123456789ab/0/13", 0, None, None, None, [], [], None)
    (cells,) = graphs_view(table(row), None).rows
    assert cells == ("g", "0/13", "0", "", "", "", "", "")
    assert graphs_view(table(), "attribution graphs").below == "No rows. attribution graphs"
