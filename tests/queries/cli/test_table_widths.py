"""Tables, JSON lines and suffixes: what a terminal and a program get."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

import ingest
from lib_graph.cli.output import print_view
from lib_graph.support.view import View
from tests.queries.conftest import Answer
from tests.synthetic import random_run

LONG = "blocks.0.hook_resid_pre_and_more/123456"
VIEW = View(
    ("source", "target", "strength", "share", "labels"),
    [(LONG, LONG, "1.234e+05", "0.5", "once upon a time there was → a token")],
    frozenset(["strength", "share"]),
    frozenset(["source", "target"]),
)


def widest(view: View, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
           *, wide: bool = False, columns: int = 80) -> tuple[int, str]:  # fmt: skip
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_view(view, wide=wide)
    out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    return max(map(len, out.splitlines())), out


def test_no_line_is_wider_than_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    width, out = widest(VIEW, monkeypatch, capsys)
    assert width <= 80
    assert LONG not in out
    width, out = widest(VIEW, monkeypatch, capsys, wide=True)
    assert width > 80
    assert out.count(LONG) == 2


def test_a_table_that_fits_keeps_its_ids_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    view = View(("feature", "label"), [("ln2.0/1", "word " * 40)], whole=frozenset(["feature"]))
    width, out = widest(view, monkeypatch, capsys)
    assert width <= 80
    assert "ln2.0/1" in out


FEATURES = " → ".join(f"ln1.{i}/{i}" for i in range(9))
SHARES = " ".join(f"0.{i}{i}{i}" for i in range(10))
MANY = ("0123456789ab", *["a-name-of-a-model", "lib"] * 2, "17", "2026-11-28")


@pytest.mark.parametrize(
    ("view", "whole"),
    [
        (
            View(
                ("strength", "cost", "path", "shares"),
                [("1.966e-05", "10.837", FEATURES, SHARES)],
                frozenset(["strength", "cost", "shares"]),
            ),
            ["1.966e-05", "10.837", SHARES],
        ),
        (
            View(
                ("id", "name", "basis", "of", "by", "interactions", "loaded"),
                [MANY],
                frozenset(["interactions"]),
                frozenset(["id", "loaded"]),
            ),
            ["0123456789ab", "2026-11-28", "interactions"],
        ),
    ],
)
@pytest.mark.parametrize("columns", [30, 50, 65, 70, 80, 100])
def test_no_column_and_no_text_is_lost_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    view: View, whole: list[str], columns: int,
) -> None:  # fmt: skip
    """Numbers of several words hid from rich what they take, and columns beside them vanished."""
    width, out = widest(view, monkeypatch, capsys, columns=columns)
    assert width <= columns
    rows = out.splitlines()
    rule = next(i for i, line in enumerate(rows) if "─" in line)
    for part, texts in (("heading", view.columns), ("cell", view.rows[0])):
        lines = rows[:rule] if part == "heading" else rows[rule + 1 :]
        shown = Counter("".join(lines).replace(" ", ""))
        assert shown == Counter("".join(texts).replace(" ", "")), part
    if columns == 100:
        assert all(text in out for text in whole)


@pytest.mark.slow
def test_lines_of_json_and_names_of_files(cli: Callable[..., Answer], tmp_path: Path) -> None:
    ingest.load(random_run(tmp_path / "run"), tmp_path / "graph.kgl")
    at = ("features", "--store", tmp_path / "graph.kgl")
    lines = cli(*at, "--json-lines").out.splitlines()
    assert [json.loads(line) for line in lines] == json.loads(cli(*at, "--json").out)
    refused = cli(*at, "--parquet", tmp_path / "rows.txt")
    assert (refused.code, refused.out) == (2, "")
    assert "rows.parquet'" in refused.err
    both = cli(*at, "--json", "--json-lines")
    assert (both.code, "exclude each other" in both.err) == (2, True)


def test_what_is_misnamed_is_told_what_was_meant(
    cli: Callable[..., Answer], tmp_path: Path
) -> None:
    answer = cli("path")
    assert (answer.code, "Closest: 'paths'" in answer.err) == (2, True)
    (tmp_path / "mine.py").write_text("")
    answer = cli("build", tmp_path / "mine.py", "--out", tmp_path / "run", "-q")
    assert (answer.code, f"{tmp_path / 'mine.py'}:make_model'" in answer.err) == (2, True)
