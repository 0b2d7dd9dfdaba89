"""`lib-graph build MODEL --text FILE`, from the command to the run."""

import json

import pytest
import torch
from safetensors.torch import save_file

import ingest
import queries
from lib_graph.analysis.reopening import reopened
from lib_graph.errors import ConflictError
from lib_graph.run import Run
from queries.cli.main import main
from tests.lib_graph.language_models import save_model


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a model, `model`, and texts for it."""
    folder = tmp_path_factory.mktemp("place")
    save_model(folder / "model", "gpt2")
    (folder / "stories.txt").write_text("a b c d e f g h e e f a c b d " * 8)
    lines = ["a b c", "d e f g a", "b b a c", "h g f", "a a a b", "c e g"] * 4
    (folder / "lines.jsonl").write_text("".join(json.dumps({"text": x}) + "\n" for x in lines))
    return folder


def lib_graph(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


def built(place, out, *options, text="stories.txt"):
    code = lib_graph("build", place / "model", "--text", place / text, "--out", out, "-q", *options)
    assert code == 0
    return Run.open(out)


@pytest.mark.slow
def test_a_run_of_blocks(place, tmp_path):
    run = built(place, tmp_path / "run", "--context", "6", "--tokens", "60")
    assert [layer.name for layer in run.layers] == [
        "ln1.0", "ln2.0", "ln1.1", "ln2.1", "ln_final", "output",
    ]  # fmt: skip
    data = run.manifest.data
    assert (data.name, data.samples, data.positions) == ("stories.txt", 10, 60)
    assert run.manifest.name == "model-lib"
    assert reopened(run).inputs[0].shape == (10, 6)
    config = tmp_path / "run" / "manifest.json"
    again = ["build", place / "model", "--config", config, "--out", tmp_path / "again", "-q"]
    assert lib_graph(*again) == 0
    assert Run.open(tmp_path / "again").id == run.id
    (place / "stories.txt").write_text("h " * 100)
    with pytest.raises(ConflictError, match="data"):
        reopened(run)


@pytest.mark.slow
def test_a_run_as_in_the_papers_on_padded_lines(place, tmp_path):
    options = ["--context", "5", "--tokens", "70", "--padding", "--granularity", "paper"]
    run = built(place, tmp_path / "run", *options, text="lines.jsonl")
    assert run.manifest.data.positions == 70
    assert len(run.layers) == 16
    variances = run.features[run.features.role == "variance"]
    assert variances.layer.tolist() == [
        "ln1_out.0", "ln2_out.0", "ln1_out.1", "ln2_out.1", "ln_final_out",
    ]  # fmt: skip
    assert set(variances["index"]) == {1}
    assert reopened(run).counted.sum() == 70
    shares = run.interactions.groupby(["target_layer", "target"]).share.sum()
    assert shares.round(9).isin([0, 1]).all()


@pytest.mark.slow
def test_layers_of_a_language_model(place, capsys):
    assert lib_graph("layers", place / "model", "--json") == 0
    rows = {row["point"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["model.transformer.h.1.ln_2:in"]["layer"] == "ln2.1"
    assert rows["model.transformer.h.0.ln_1:variance"]["shape"][1:] == [1]
    assert rows["output"]["shape"][1:] == [11]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ([], 1, "'text' is empty. Give at least one sample (to a language model: --text FILE)."),
        (["--text", "/none.txt"], 2, "'/none.txt' cannot be read"),
        (["--text", "a.txt", "--data", "b.py:c"], 2, "--data or on --text. Leave one out."),
        (["--text", "a.txt", "--context", "1"], 2, "A context of 1 is too short."),
        (["--granularity", "fine"], 2, "Granularity 'fine' not found."),
    ],
)
def test_what_cannot_be_used_is_one_line(place, tmp_path, capsys, options, code, words):
    assert lib_graph("build", place / "model", "--out", tmp_path / "run", "-q", *options) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


@pytest.mark.slow
def test_a_run_over_transcoders(place, tmp_path, capsys):
    """A folder of circuit-tracer's: which MLP each one is of, it says itself."""
    torch.manual_seed(0)
    set_of_two = tmp_path / "set"
    set_of_two.mkdir()
    (set_of_two / "config.yaml").write_text("feature_input_hook: mlp.hook_in\n")
    for i in range(2):
        parts = {"W_enc": torch.randn(5, 16), "W_dec": torch.randn(5, 16) / 9,
                 "b_enc": torch.randn(5), "b_dec": torch.zeros(16)}  # fmt: skip
        save_file(parts, set_of_two / f"layer_{i}.safetensors")
    (place / "short.txt").write_text("a b c d e f g h " * 8)
    asked = ["--granularity", "mlp", "--context", "6", "--tokens", "60", "--basis", set_of_two]
    assert lib_graph("build", place / "model", "--text", place / "short.txt", "--out",
                     tmp_path / "run", "--force", *asked) == 0  # fmt: skip
    said = capsys.readouterr().err
    words = "circuit-tracer, relu transcoder, 5 features at mlp_in.1; writes to blocks.1.hook_mlp"
    assert words in said
    run = Run.open(tmp_path / "run")
    assert [layer.name for layer in run.layers] == ["mlp_in.0", "mlp_in.1", "output"]
    assert [layer.width for layer in run.layers] == [5 + 1 + 16 + 16] * 2 + [11]
    errors = run.features[run.features.role == "error"]
    assert errors[["layer", "index"]].to_numpy().tolist() == [["mlp_in.0", 6], ["mlp_in.1", 6]]
    shares = run.interactions[run.interactions.source > 0].groupby(["target_layer", "target"])
    assert shares.share.sum().round(9).eq(1).all()
    found = reopened(run)
    assert found.stand_ins["mlp_in.0"].features == 5
    assert ingest.load(run, tmp_path / "graph.kgl").features == sum(x.features for x in run.layers)
    with queries.open_graph(tmp_path / "graph.kgl") as graph:
        paths = graph.paths(target="output/3", k=3).to_pandas()
        rows = graph.features(layer="mlp_in.1").to_pandas()
    assert len(paths) >= 3
    assert rows.role.tolist().count("error") == 1
