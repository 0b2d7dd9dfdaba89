"""Tables, JSON lines and suffixes: what a terminal and a program get."""

from __future__ import annotations

import json
import re
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
           *, wide: bool = False) -> tuple[int, str]:  # fmt: skip
    monkeypatch.setenv("COLUMNS", "80")
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
