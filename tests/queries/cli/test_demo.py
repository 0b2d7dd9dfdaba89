"""The demo shows what its commands print."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lib_graph.networks import shipped_model
from lib_graph.run import Run

if TYPE_CHECKING:
    from tests.queries.cli.test_reading import Cli


@pytest.mark.slow
def test_every_command_that_the_demo_shows_prints_what_the_demo_prints(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = cli("demo", "-q", "--answer", "7", "--out", "my demo")
    assert (shown.code, shown.err) == (0, "")
    picture = Path("my demo/circuit.svg")
    assert picture.read_text(encoding="utf-8").rstrip().endswith("</svg>")
    picture.unlink()

    out = shown.out.replace(str(shipped_model().parents[3]), "…")  # wherever the package lies
    commands = re.findall(r"^(?:\$ |    -|  lib-graph ).*", out, re.MULTILINE)
    assert max(map(len, commands)) <= 80
    steps = shown.out.replace(" \\\n    -", " -").split("\n$ lib-graph ")[1:]
    assert [step.split()[0] for step in steps] == [
        "build", "ingest", "paths", "circuit", "communities", "plot", "paths",
    ]  # fmt: skip
    for step in steps[2:]:
        command, _, printed = step.partition("\n")
        again = cli(*shlex.split(command))
        assert again.code == 0
        if command.startswith("plot"):
            assert picture.exists()
        elif command.endswith("--show-cypher"):
            assert printed.strip().partition("\n\nWhat next?")[0].strip() in again.err
        else:
            assert again.out.strip() in printed
            assert again.out.count("output/7") == printed.count("output/7")
    run = Run.open("my demo/run")
    assert str(run.id) in shown.out
    assert "  lib-graph ingest 'my demo/run' --store neo4j\n" in shown.out


def test_an_answer_that_is_none_is_refused_before_anything_is_built(
    cli: Cli, tmp_path: Path
) -> None:
    answer = cli("demo", "--answer", 113, "--out", tmp_path / "demo")
    assert answer.code == 2
    assert "0<=x<=112" in answer.err
    assert not (tmp_path / "demo").exists()
