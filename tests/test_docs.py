"""The commands and the Python of the pages in docs/, run as they stand there."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import lib_graph
from lib_graph.kinds import Kind
from lib_graph.method.interactions import interaction_moments
from lib_graph.method.rules import Rule
from lib_graph.networks import load_subject, shipped_model
from tests.data import reference_data
from tests.lib_graph.dictionaries.writers import dictionary_learning, saelens, saelens_skip
from tests.lib_graph.language_models import save_model
from tests.lib_graph.nets import random_basis
from tests.lib_graph.networks.training.test_mlp import bright_side, write_images
from tests.synthetic import random_run
from tests.test_readme import run
from tests.traced import traced_once

__all__ = ["traced_once"]

DOCS = Path(__file__).parents[1] / "docs"


def blocks(page, language):
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.mark.slow
def test_your_own_network(tmp_path, monkeypatch):
    (file,) = blocks("your-own-network.md", "python own.py")
    (tmp_path / "own.py").write_text(file)
    commands = "".join(blocks("your-own-network.md", "sh own"))
    printed = run(commands.splitlines(), tmp_path)
    assert len(printed) == 5
    runs = {name: lib_graph.Run.open(tmp_path / name) for name in ("own-run", "partial-run")}
    assert [layer.width for layer in runs["own-run"].layers] == [6, 8, 8, 8, 4]
    assert runs["partial-run"].manifest.checks["held_tensors"] == 1
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (python,) = blocks("your-own-network.md", "python own")
    names = {}
    exec(python, names)
    assert [layer.name for layer in names["run"].layers] == ["input", "3:in", "output"]


def test_a_run_folder_is_asked_in_sql(tmp_path, monkeypatch):
    made = random_run(tmp_path / "my-run", (5, 4, 3), seed=2)
    monkeypatch.chdir(tmp_path)
    (python,) = blocks("stores.md", "python duckdb")
    names = {}
    exec(python, names)
    labels = made.features.set_index(["layer", "index"])["label"]
    rows = made.interactions[made.interactions["source"] != 0]
    found = {}
    for row in rows.itertuples():
        ends = labels[row.source_layer, row.source], labels[row.target_layer, row.target]
        count, share = found.get(ends, (0, 0.0))
        found[ends] = (count + 1, share + row.share)
    flows = names["flows"].fetchall()
    assert len(flows) == len(found) == 9
    for source, target, count, share in flows:
        assert found[source, target] == (count, pytest.approx(share))
    assert [row[3] for row in flows] == sorted((row[3] for row in flows), reverse=True)


def test_a_kind_of_your_own(tmp_path, monkeypatch):
    (file,) = blocks("your-own-network.md", "python gain.py")
    (tmp_path / "gain.py").write_text(file)
    monkeypatch.syspath_prepend(str(tmp_path))
    (python,) = blocks("your-own-network.md", "python own-kind")
    names = {}
    exec(python, names)
    section, batch = names["section"], names["batch"]
    bases = (*(random_basis(4, 3, seed) for seed in (0, 1)), Rule.named("gradient"))
    closed, general = (
        interaction_moments(replace(section, kind=kind), batch, *bases, 2).strength
        for kind in (section.kind, Kind())
    )
    assert torch.allclose(closed, general, rtol=1e-10)


@pytest.mark.slow
def test_attribution_graphs(tmp_path):
    (tmp_path / "my-graphs").mkdir()
    for name in ("circuit-tracer-local-gemma-dallas", "derived-id-collision-and-pins"):
        file = reference_data("formats/graphs") / f"{name}.json"
        shutil.copy(file, tmp_path / "my-graphs")
    printed = run("".join(blocks("formats.md", "sh graphs")).splitlines(), tmp_path)
    loaded, paths, pinned, where, _, found = printed.values()
    assert json.loads((tmp_path / "again.json").read_text())["metadata"]["schema_version"] == 1
    assert loaded.count("Loaded run") == 2
    assert "logits/" in paths
    assert "say Austin" in pinned
    assert where.count("Dallas") >= 1
    assert found.count("is") == 5


@pytest.mark.slow
def test_language_models(tmp_path, monkeypatch):
    save_model(tmp_path / "my-model", "llama")
    (tmp_path / "stories.txt").write_text("a b c d e f g h e e f a c b d " * 40)
    commands = "".join(blocks("language-models.md", "sh language"))
    printed = run(commands.splitlines(), tmp_path)
    dictionaries = lib_graph.Run.open(tmp_path / "sae-run")
    assert [layer.features for layer in dictionaries.layers[:2]] == [32, 32]
    assert dictionaries.manifest.basis == "dictionary"
    assert "ln1.0" in next(iter(printed.values()))
    widths = [layer.width for layer in lib_graph.Run.open(tmp_path / "paper-run").layers]
    assert widths[:4] == [16, 17, 32, 16]
    monkeypatch.chdir(tmp_path)
    (python,) = blocks("language-models.md", "python language")
    names = {}
    exec(python, names)
    assert [layer.name for layer in names["run"].layers][::2] == ["ln1.0", "ln1.1", "ln_final"]


@pytest.mark.slow
def test_a_language_model_by_a_function_of_ones_own(tmp_path):
    (file,) = blocks("language-models.md", "python qwen3.py")
    (tmp_path / "qwen3.py").write_text(file)
    (commands,) = blocks("language-models.md", "sh qwen3")
    run(commands.splitlines(), tmp_path)
    layers = lib_graph.Run.open(tmp_path / "qwen3-run").layers
    assert [layer.width for layer in layers] == [8, 8, 20]


@pytest.mark.slow
def test_images(tmp_path):
    for split, seed in (("train", 0), ("test", 1)):
        write_images(tmp_path / "cifar10" / f"{split}-0.parquet", *bright_side(120, seed))
    (commands,) = blocks("images.md", "sh images")
    printed = run(commands.splitlines(), tmp_path)
    assert len(printed) == 5
    for name, basis in (("mlp-run", "lib"), ("pca-run", "pca"), ("neuron-run", "neuron")):
        assert lib_graph.Run.open(tmp_path / name).manifest.basis == basis


@pytest.mark.slow
def test_formats(tmp_path):
    torch.manual_seed(0)
    for name, point in (("my-sae", "resid_pre"), ("my-dictionaries/0", "resid_pre"),
                        ("my-dictionaries/1", "resid_mid")):  # fmt: skip
        (tmp_path / name).mkdir(parents=True)
        write_sae(tmp_path / name, 128, point)
    commands = "".join(blocks("formats.md", "sh dictionary"))
    shutil.copytree(shipped_model(), tmp_path / "my-model")
    run(commands.splitlines(), tmp_path)
    runs = [lib_graph.Run.open(tmp_path / name) for name in ("sae-run", "one-layer-run")]
    assert [[layer.features for layer in each.layers] for each in runs] == [[6, 6, 114], [6, 114]]
    for name in ("circuit.gexf", "circuit.json", "interactions.parquet", "features.graphml"):
        assert (tmp_path / name).stat().st_size > 1000
    found = {each.hook: each.holds for each in lib_graph.read_dictionaries(tmp_path / "my-saes")}
    assert list(found) == ["blocks.0.hook_resid_pre", "blocks.0.hook_resid_mid"]
    (tmp_path / "my-transcoder").mkdir()
    _, expected = saelens_skip(tmp_path / "my-transcoder")
    (python,) = blocks("formats.md", "python transcoder")
    names = {"inputs": torch.randn(5, 6).double()}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        exec(python, names)
    features, _ = expected(names["inputs"].float())
    assert torch.allclose(names["features"].float(), features, atol=1e-5)


@pytest.mark.slow
def test_a_transcoder_that_stands_in(tmp_path):
    """One that is the MLP itself: nothing is left to its error."""
    shutil.copytree(shipped_model(), tmp_path / "my-model")
    mlp = load_subject(tmp_path / "my-model").module.blocks[0].mlp
    parts = {"W_enc": mlp.W_in, "b_enc": mlp.b_in, "W_dec": mlp.W_out, "b_dec": mlp.b_out}
    (tmp_path / "my-mlp").mkdir()
    saelens(tmp_path / "my-mlp", {"architecture": "transcoder"}, parts)
    (commands,) = blocks("formats.md", "sh mlp")
    run(commands.splitlines(), tmp_path)
    found = lib_graph.Run.open(tmp_path / "mlp-run")
    assert found.manifest.checks["transcoder_error.ln2.0"] < 1e-20
    assert 0 < found.layers[0].features - 512 - 1 <= 128


def write_sae(folder, width, point):
    """What dictionary_learning writes for a small dictionary of a block's point."""
    parts = {"encoder.weight": torch.randn(6, width), "encoder.bias": torch.zeros(6),
             "decoder.weight": torch.randn(width, 6), "bias": torch.zeros(width)}  # fmt: skip
    dictionary_learning(folder, "AutoEncoder", parts, submodule_name=f"{point}_layer_0")
