"""Whatever verb writes a circuit as JSON, every verb that reads one reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lib_graph.run import Run
from lib_graph.run.ablations import read_ablation
from lib_graph.run.circuit import EFFECT, CircuitFile
from queries.cli.main import main
from tests.own_network import NETWORK

WRITERS: dict[str, list[str]] = {
    "circuit": ["circuit", "--target", "output", "--json"],
    "circuit -k": ["circuit", "--target", "output/1", "-k", "3", "--json"],
    "circuit --size": ["circuit", "--target", "output", "--size", "500", "--json"],
    "circuit --save": ["circuit", "--target", "output", "--save", "other", "--json"],
    "circuits show": ["circuits", "show", "five", "--json"],
    "circuits export": ["circuits", "export", "five", "--out", "OUT"],
    "circuits import": ["circuits", "import", "five.json", "--json"],
    "export": ["export", "circuit", "--target", "output", "--format", "json", "--out", "OUT"],
    "ablate --out": ["ablate", "run", "circuit", "five.json", "--draws", "1", "--out", "OUT"],
    "ablate --json": ["ablate", "run", "circuit", "five.json", "--draws", "1", "--json"],
    "ablate --keep-score": ["ablate", "run", "circuit", "--keep-score", "0.2", "--json"],
}


def verb(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    return int(end.value.code or 0)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run, a store that has it, and a circuit that is saved and exported."""
    folder = tmp_path_factory.mktemp("json")
    (folder / "net.py").write_text(NETWORK)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        layers = "input=0:in,hidden=2:in,output"
        for arguments in (
            ["build", "net.py:make_model", "--layers", layers, "--out", "run", "-q"],
            ["ingest", "run", "-q"],
            ["circuit", "--target", "output", "--size", "12", "--save", "five"],
            ["circuits", "export", "five", "--out", "five.json"],
        ):
            assert verb(*arguments) == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("writer", WRITERS)
def test_a_circuit_that_a_verb_writes_is_read_by_all_that_read_one(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], writer: str
) -> None:
    monkeypatch.chdir(place)
    capsys.readouterr()
    out = Path("out.json")
    out.unlink(missing_ok=True)
    assert verb(*(out.name if each == "OUT" else each for each in WRITERS[writer])) == 0
    shown = capsys.readouterr().out
    if "OUT" not in WRITERS[writer]:
        out.write_text(shown)
    written = json.loads(out.read_text())
    assert list(written) == list(CircuitFile.model_fields)
    assert written["run"] == Run.open("run").id
    assert len(written["interactions"]) > 1

    assert verb("circuits", "import", out.name, "--name", writer, "--replace", "--json") == 0
    imported = json.loads(capsys.readouterr().out)
    assert imported == {**written, "name": writer}
    assert verb("ablate", "run", "circuit", out.name, "--draws", "1", "--json", "-q") == 0
    scored = json.loads(capsys.readouterr().out)
    assert scored["score"] is not None
    tested = ("score", "baseline", "random_score", "metric", "answers")
    assert scored == {**written, **{name: scored[name] for name in tested}}
    ends = [each["target"] for each in written["interactions"]]
    some = len({end for end in ends if "/output/" in end})
    assert (scored["metric"] == EFFECT) == (scored["answers"] is not None) == (some == 1)


@pytest.mark.slow
def test_a_saved_circuit_is_tested_in_one_step(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    monkeypatch.delenv("LIB_GRAPH_STORE", raising=False)
    assert verb("circuit", "--target", "output/1", "-k", "2", "--save", "one") == 0
    assert "lib-graph ablate RUN circuit --saved one" in capsys.readouterr().out
    assert (
        verb("ablate", "run", "circuit", "--saved", "one", "--draws", "1", "--out", "1.json") == 0
    )
    shown = capsys.readouterr()
    assert "Where output/1" in shown.out
    assert f"Run {Run.open('run').id} (" in shown.err
    assert verb("circuits", "show", "one", "--json") == 0
    assert json.loads(capsys.readouterr().out) == json.loads(Path("1.json").read_text())
    assert verb("circuits") == 0
    (line,) = [x for x in capsys.readouterr().out.splitlines() if x.startswith("one ")]
    assert line.endswith(EFFECT)
    assert verb("ablate", "run", "circuit", "--saved", "one", "--draws", "1",
                "--metric", "accuracy", "--json") == 0  # fmt: skip
    over_all = json.loads(capsys.readouterr().out)
    assert (over_all["metric"], over_all["answers"]) == ("accuracy", None)
    rows = read_ablation(Run.open("run"))
    assert set(rows.loc[rows["kind"] == "circuit", "metric"]) == {EFFECT, "accuracy"}
    assert verb("ablate", "run", "circuit", "--saved", "none") == 2
    assert verb("ablate", "run", "circuit", "1.json", "--store", "x.kgl") == 2
    assert "--store is where a circuit is --saved" in capsys.readouterr().err
