"""`lib-graph ablate` as it is typed, on a network of one's own."""

import json

import pandas as pd
import pytest

from lib_graph.analysis.ablation import Bench, curves, read_ablation, smallest_kept
from lib_graph.errors import ModelError
from lib_graph.networks import load_subject
from lib_graph.run import Run
from lib_graph.support.defaults import DELTA
from tests.lib_graph.cli.test_build import lib_graph
from tests.own_network import NETWORK


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "net.py").write_text(NETWORK)
    for basis in ("lib", "pca"):
        arguments = ["--layers", "input=0:in,hidden=2:in,output", "--basis", basis, "-q"]
        out = str(folder / basis)
        assert lib_graph("build", f"{folder / 'net.py'}:make_model", "--out", out, *arguments) == 0
    return folder


def ablate(folder, *arguments):
    return lib_graph("ablate", str(folder / "lib"), *arguments)


@pytest.mark.slow
def test_nodes_and_edges_in_two_bases_add_up(folder, capsys):
    against = ["--against", str(folder / "pca"), "-q", "--metric", "cross-entropy"]
    assert ablate(folder, "nodes", *against) == 0
    assert ablate(folder, "edges", "--delta", "0.1", "--layers", "hidden", *against) == 0
    run, other = Run.open(folder / "lib"), Run.open(folder / "pca")
    table = read_ablation(run)
    assert dict(zip(table["run"], table["basis"], strict=True)) == {
        run.id: "lib", other.id: "pca"
    }  # fmt: skip
    assert set(table["kind"]) == {"node_curve", "edge_curve", "edges_required"}
    required = table[(table["kind"] == "edges_required") & (table["run"] == run.id)]
    assert required["layer"].tolist() == ["hidden"]
    assert list(smallest_kept(run)) == ["hidden"]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["basis", "layer", "nodes", "score", "baseline", "random_score"]
    rows, (heading, *told) = lines[-5:-3], lines[-3:]
    assert [line.split()[:2] for line in rows] == [["lib", "hidden"], ["pca", "hidden"]]
    assert heading == "score, baseline, random_score: cross-entropy."
    number = int(required["edges"].iloc[0])
    assert (
        told[0] == f"{number} interactions out of hidden (lib) keep the cross-entropy within 0.1."
    )
    curve = table[(table["kind"] == "node_curve") & (table["layer"] == "hidden")]
    own = curve[curve["run"] == run.id]
    enough = own[own["score"] - own["baseline"] <= DELTA]["nodes"].astype(int).min()
    said = (
        f"{enough} of the {int(own['nodes'].max())} features of hidden (lib) keep the cross-entropy"
    )
    assert any(line.startswith(said) for line in lines)


@pytest.mark.slow
def test_json_has_all_rows(folder, capsys):
    assert ablate(folder, "edges", "-q", "--replace", "--json", "--delta", "0.2") == 0
    rows = pd.DataFrame(json.loads(capsys.readouterr().out))
    assert set(rows["kind"]) == {"edge_curve", "edges_required"}
    assert rows["score"].tolist() == read_ablation(Run.open(folder / "lib"))["score"].tolist()


@pytest.mark.slow
def test_random_scores_of_fewer_samples_are_told_beside_those_of_the_network(
    folder, capsys, monkeypatch
):
    monkeypatch.setattr(curves, "RANDOM_ANSWERS", 7)
    bench = Bench.of(Run.open(folder / "lib")).sampled(7)
    said = "random_score: on 7 of the 30 samples, on which the whole network scores "
    for verb in ("nodes", "edges"):
        assert ablate(folder, verb, "-q", "--replace", "--seed", "1") == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[lines.index("score, baseline, random_score: accuracy.") + 1] == (
            f"{said}{bench.baseline:.6g}."
        )


@pytest.mark.parametrize("verb", ["nodes", "edges", "circuit"])
def test_a_verb_has_its_help_without_a_run(verb, capsys):
    assert lib_graph("ablate", verb, "-h") == 0
    out = capsys.readouterr().out
    assert out.startswith(f"Usage: lib-graph ablate RUN {verb} [OPTIONS]")


@pytest.mark.slow
def test_a_circuit_is_found_written_and_tested_again(folder, tmp_path, capsys):
    path = tmp_path / "circuit.json"
    arguments = ["--keep-score", "0.1", "--out", str(path), "-q", "--replace", "--draws", "2"]
    assert ablate(folder, "circuit", *arguments) == 0
    out = capsys.readouterr().out
    circuit = json.loads(path.read_text())
    assert out.startswith(f"{len(circuit['interactions'])} interactions between ")
    assert f"accuracy, with the circuit alone: {circuit['score']:.6g}" in out
    assert circuit["metric"] == "accuracy"
    assert circuit["baseline"] == 1
    assert circuit["baseline"] - circuit["score"] <= 0.1
    assert ablate(folder, "circuit", str(path), "-q", "--json", "--draws", "2") == 0
    assert json.loads(capsys.readouterr().out) == circuit
    rows = read_ablation(Run.open(folder / "lib"))
    assert rows["edges"].tolist() == [len(circuit["interactions"])]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["circuit"], 2, "one of the three"),
        (["circuit", "c.json", "--keep-score", "0.1"], 2, "one of the three"),
        (["circuit", "/none.json"], 2, "'/none.json' cannot be read: No such file or directory"),
        (["circuit", "--keep-score", "0.1", "--rank", "size"], 2, "Rank 'size' not found"),
        (["circuit", "--keep-score", "1"], 2, "Without any interaction the accuracy is already"),
        (["edges", "--delta", "-1"], 2, "delta is -1"),
        (["nodes", "--layers", "hiden"], 2, "Layer 'hiden' not found. Closest: 'hidden'"),
        (["nodes", "--metric", "r2"], 2, "Metric 'r2' not found"),
        (["nodes", "--against", "/none"], 1, "There is no run folder '/none'"),
        (["nodes", "--against", "SELF"], 2, "--against names run"),
    ],
)
def test_what_cannot_be_used_is_one_line(folder, capsys, arguments, code, words):
    arguments = [str(folder / "lib") if each == "SELF" else each for each in arguments]
    assert ablate(folder, *arguments, "-q") == code
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


@pytest.mark.slow
def test_a_run_of_another_network_is_one_line(folder, tmp_path, capsys):
    other = tmp_path / "net.py"
    other.write_text(NETWORK.replace("Linear(6, 3)", "Linear(6, 3, bias=False)"))
    arguments = ["--out", str(tmp_path / "run"), "--layers", "input=0:in,hidden=2:in,output", "-q"]
    assert lib_graph("build", f"{other}:make_model", *arguments) == 0
    assert ablate(folder, "nodes", "--against", str(tmp_path / "run"), "-q") == 4
    assert "is of another network than run" in capsys.readouterr().err


@pytest.mark.parametrize("returned", ["5", "inputs", "(inputs, 5)", "(7, inputs)"])
def test_an_evaluation_that_is_none_is_one_line(tmp_path, returned):
    file = tmp_path / "net.py"
    file.write_text(NETWORK.replace("return inputs, model(inputs).argmax(-1)",
                                 f"return {returned}"))  # fmt: skip
    with pytest.raises(ModelError, match=r"make_evaluation' returned (int|Tensor|tuple)"):
        load_subject(f"{file}:make_model")
