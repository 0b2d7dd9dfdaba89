from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from queries.output import View, print_view

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


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Make stdout say that it is a terminal."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    return monkeypatch


def test_elsewhere_than_on_a_terminal_a_row_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_view(WIDE)
    assert capsys.readouterr().out.splitlines() == [
        "Above.",
        "source            strength  labels",
        "blocks.0.mlp/12  1.234e-05  one two three four five six seven eight nine ten",
        "output/5                17",
        "Below.",
    ]


@pytest.mark.parametrize("width", [20, 50, 80, 200])
def test_a_narrow_terminal_breaks_words_but_no_id_and_no_number(
    capsys: pytest.CaptureFixture[str], terminal: pytest.MonkeyPatch, width: int
) -> None:
    terminal.setenv("COLUMNS", str(width))
    print_view(WIDE)
    shown = capsys.readouterr().out
    for whole in ("blocks.0.mlp/12", "1.234e-05", "output/5", "eight"):
        assert whole in shown
    longest = max(map(len, re.sub("\x1b[^m]*m", "", shown).splitlines()))
    assert longest <= max(width, len("blocks.0.mlp/12") + len("1.234e-05") + 24 + 6)


def test_no_color_is_respected(
    capsys: pytest.CaptureFixture[str], terminal: pytest.MonkeyPatch
) -> None:
    print_view(WIDE)
    coloured = capsys.readouterr().out
    terminal.setenv("NO_COLOR", "1")
    print_view(WIDE)
    plain = capsys.readouterr().out
    assert "\x1b[3" not in plain
    assert "source" in coloured
    assert "source" in plain


def test_an_empty_answer_is_only_its_words(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    print_view(View(("a",), [], below="There is none."))
    assert capsys.readouterr().out == "There is none.\n"
