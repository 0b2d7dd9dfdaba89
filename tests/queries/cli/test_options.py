from __future__ import annotations

import os
import re
from contextlib import redirect_stdout, suppress

import pandas as pd
import pytest

from lib_graph.cli.output import print_view
from lib_graph.support.view import View
from queries.asking.tables import Table
from queries.views.answers import runs_view

WIDE = View(
    ("source", "strength", "labels"),
    [
        ("blocks.0.mlp/12", "1.234e-05", "one two three four five six seven eight nine ten"),
        ("output/5", "17", ""),
    ],
    numbers=frozenset(["strength"]),
    whole=frozenset(["source"]),
    above="Above.",
    below="Below.",
)


def shown_on_a_terminal(view: View) -> str:
    """Return what a person at a terminal sees of a view."""
    person, program = os.openpty()
    with open(program, "w", encoding="utf-8") as stdout, redirect_stdout(stdout):
        print_view(view)
    shown = b""
    with suppress(OSError):  # at its end
        while part := os.read(person, 100_000):
            shown += part
    os.close(person)
    return shown.decode().replace("\r\n", "\n")


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_elsewhere_than_on_a_terminal_a_row_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_view(WIDE)
    assert capsys.readouterr().out.splitlines() == [
        "Above.",
        "source            strength  labels",
        "blocks.0.mlp/12  1.234e-05  one two three four five six seven eight nine ten",
        "output/5                17",
        "Below.",
    ]


@pytest.mark.parametrize("width", [50, 80, 200])
def test_a_narrow_terminal_breaks_words_but_no_id_and_no_number(
    monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    shown = shown_on_a_terminal(WIDE)
    for whole in ("blocks.0.mlp/12", "1.234e-05", "output/5", "eight"):
        assert whole in shown
    longest = max(map(len, re.sub("\x1b[^m]*m", "", shown).splitlines()))
    assert longest <= max(width, len("blocks.0.mlp/12") + len("1.234e-05") + 24 + 6)


def test_colour_says_nothing_that_words_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    coloured = shown_on_a_terminal(WIDE)
    monkeypatch.setenv("TERM", "dumb")
    plain = shown_on_a_terminal(WIDE)
    assert "\x1b[" in coloured
    assert "\x1b[" not in plain
    assert re.sub("\x1b[^m]*m", "", coloured) == plain


def test_an_empty_answer_is_only_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    print_view(View(("a",), [], below="There is none."))
    assert capsys.readouterr().out == "There is none.\n"


def test_runs_keep_their_ids_at_eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long names of models fold; a column that says nothing is not there."""
    monkeypatch.setenv("COLUMNS", "80")
    row = {
        "id": "cab9880e4d4a", "name": "dallas-austin-llamma",
        "model": "mntss/gemma-scope-transcoders",
        "basis": "attribution graph", "base": None, "features": 60, "interactions": 27_330,
        "loaded": "2026-11-28T01:40:04", "status": "complete",
    }  # fmt: skip
    shown = shown_on_a_terminal(runs_view(Table(pd.DataFrame([row, row]), ())))
    lines = re.sub("\x1b[^m]*m", "", shown).splitlines()
    assert max(map(len, lines)) <= 80
    assert shown.count("cab9880e4d4a") == 2
    assert "status" not in shown
    loading = runs_view(Table(pd.DataFrame([row, {**row, "status": "loading"}]), ()))
    assert loading.columns[-1] == "status"
