"""Model folders: what is loaded, and what is said about those that cannot be."""

import itertools
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from lib_graph.errors import ConflictError, ModelError
from lib_graph.kinds import Attention, Linear, ResidualMLP
from lib_graph.networks import load_subject, shipped_model
from lib_graph.networks.checkpoint import read_config, save
from lib_graph.networks.modular_addition import AdditionConfig, ModularAddition, split
from lib_graph.networks.training.modular_addition import evaluate
from tests.data import reference_data

TINY = AdditionConfig(modulus=5, d_vocab=7, d_model=6, n_heads=2, d_head=4, d_mlp=9)


def random_network(config=TINY):
    module = ModularAddition(config).double()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(generator=generator)
    return module


@pytest.fixture
def folder(tmp_path):
    """A whole model folder, to be damaged."""
    save(tmp_path / "model", random_network(), TINY)
    return tmp_path / "model"


def by_loops(p, a, b, equals):
    """The logits at the last position of one input, from the definition of the transformer."""
    x = [p["embed.W_E"][t] + p["pos_embed.W_pos"][i] for i, t in enumerate((a, b, equals))]
    out = []
    for t in range(3):
        written = x[t] + p["blocks.0.attn.b_O"]
        for h in range(len(p["blocks.0.attn.W_Q"])):
            q, k, v = (
                [f @ p[f"blocks.0.attn.W_{n}"][h] + p[f"blocks.0.attn.b_{n}"][h] for f in x]
                for n in "QKV"
            )
            weights = torch.stack([(q[t] @ k[s] / len(q[t]) ** 0.5).exp() for s in range(t + 1)])
            seen = sum(w / weights.sum() * v[s] for s, w in enumerate(weights))
            written = written + seen @ p["blocks.0.attn.W_O"][h]
        out.append(written)
    last = out[-1]
    hidden = functional.relu(last @ p["blocks.0.mlp.W_in"] + p["blocks.0.mlp.b_in"])
    last = last + hidden @ p["blocks.0.mlp.W_out"] + p["blocks.0.mlp.b_out"]
    return last @ p["unembed.W_U"] + p["unembed.b_U"]


def test_the_network_is_the_transformer_of_the_definition():
    module = random_network()
    tokens = torch.tensor([[0, 3, 5], [4, 4, 5], [2, 1, 6]])
    expected = torch.stack([by_loops(module.state_dict(), *row) for row in tokens.tolist()])
    torch.testing.assert_close(module(tokens), expected, rtol=1e-12, atol=1e-12)


def test_save_then_load_gives_the_same_network(folder):
    subject = load_subject(folder)
    tokens = subject.inputs[0]
    assert torch.equal(subject.module(tokens), random_network()(tokens))
    assert read_config(folder, AdditionConfig) == TINY
    assert subject.source == str(folder)
    assert not subject.module.training


def test_the_split_takes_every_pair_once():
    train, test = split(TINY)
    pairs = {tuple(row) for row in torch.cat([train, test])[:, :2].tolist()}
    assert pairs == {(a, b) for a in range(5) for b in range(5)}
    assert (len(train), len(test)) == (7, 18)
    order = torch.randperm(25, generator=torch.Generator().manual_seed(0))
    assert (5 * train[:, 0] + train[:, 1]).tolist() == order[:7].tolist()


def test_sections_are_declared(folder):
    subject = load_subject(folder)
    kinds = subject.kinds(subject.module)
    layers = list(subject.layers)
    assert list(kinds) == list(itertools.pairwise(layers))
    assert [type(kind) for kind in kinds.values()] == [Attention, ResidualMLP, Linear]


@pytest.mark.parametrize(("seed", "accuracy"), [(0, 0.999553), (1, 0.998881), (2, 1.0)])
def test_accuracy_of_the_published_checkpoints(seed, accuracy):
    folder = reference_data(f"modular-addition/seed{seed}")
    _, test = split(read_config(folder, AdditionConfig))
    found, _ = evaluate(load_subject(folder).module, test, 113)
    assert found == pytest.approx(accuracy, abs=5e-7)


def test_the_shipped_model_reached_its_target():
    config = read_config(shipped_model(), AdditionConfig)
    _, test = split(config)
    accuracy, loss = evaluate(load_subject(shipped_model()).module, test, config.modulus)
    assert accuracy == 1
    assert loss < 1e-3
    assert config.training.test_loss == pytest.approx(loss, rel=1e-3)
    assert (shipped_model() / "model.safetensors").stat().st_size < 1e6


def test_the_shipped_model_has_the_parameters_of_the_published_ones():
    def shapes(folder):
        tensors = load_file(folder / "model.safetensors")
        return {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}

    assert shapes(shipped_model()) == shapes(reference_data("modular-addition/seed0"))


def rewrite_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def rewrite_weights(folder, change):
    path = folder / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


DAMAGES = {
    "no folder": (shutil.rmtree, "no model folder"),
    "a run": (lambda f: (f / "manifest.json").touch(), "is a run folder, not a model"),
    "no config": (lambda f: (f / "config.json").unlink(), "has no config.json"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "has no model.safetensors"),
    "broken JSON": (lambda f: (f / "config.json").write_text("{,"), "cannot be read as JSON"),
    "binary config": (lambda f: (f / "config.json").write_bytes(b"\xff"), "read as JSON"),
    "a list": (lambda f: (f / "config.json").write_text("[1]"), r"no JSON object but \[1\]"),
    "another network": (
        lambda f: rewrite_config(f, architecture="GPT2"),
        "architecture 'GPT2'. Supported: 'HookedTransformer'",
    ),
    "no architecture at all": (
        lambda f: rewrite_config(f, architecture=["GPT2"]),
        "architecture .'GPT2'.",
    ),
    "another activation": (lambda f: rewrite_config(f, act_fn="gelu"), "act_fn is 'gelu'"),
    "two layers": (lambda f: rewrite_config(f, n_layers=2), "n_layers is 2"),
    "an unknown field": (lambda f: rewrite_config(f, rotary=True), "rotary is True"),
    "too few tokens": (lambda f: rewrite_config(f, d_vocab=5), "d_vocab is 5"),
    "broken weights": (
        lambda f: (f / "model.safetensors").write_bytes(b"no tensors here"),
        "cannot be read as safetensors",
    ),
    "cut-off weights": (
        lambda f: (f / "model.safetensors").write_bytes(
            (f / "model.safetensors").read_bytes()[:-9]
        ),
        "cannot be read as safetensors",
    ),
    "a missing tensor": (
        lambda f: rewrite_weights(f, lambda t: t.pop("unembed.b_U")),
        "lacks tensor 'unembed.b_U'",
    ),
    "an extra tensor": (
        lambda f: rewrite_weights(f, lambda t: t.update(IGNORE=torch.zeros(1))),
        "unknown tensor 'IGNORE'",
    ),
    "another shape": (
        lambda f: rewrite_weights(f, lambda t: t.update({"unembed.b_U": torch.zeros(8)})),
        r"'unembed.b_U' .* is \(8,\) float32; .* asks for \(7,\)",
    ),
    "whole numbers": (
        lambda f: rewrite_weights(f, lambda t: t.update({"unembed.b_U": torch.arange(7)})),
        r"'unembed.b_U' .* is \(7,\) int64",
    ),
    "NaN": (
        lambda f: rewrite_weights(f, lambda t: t["blocks.0.mlp.b_in"][2:4].fill_(torch.nan)),
        "'blocks.0.mlp.b_in' .* has 2 of 9 values that are NaN or infinite",
    ),
    "infinity": (
        lambda f: rewrite_weights(f, lambda t: t["unembed.W_U"][0, 0].fill_(-torch.inf)),
        "'unembed.W_U' .* has 1 of 42 values",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_model_is_one_clear_line(folder, damage):
    harm, message = DAMAGES[damage]
    harm(folder)
    with pytest.raises(ModelError, match=message) as caught:
        load_subject(folder)
    assert "\n" not in str(caught.value)


def test_a_model_is_never_written_over_something(folder):
    before = sorted(folder.parent.rglob("*"))
    with pytest.raises(ConflictError, match="not empty"):
        save(folder, random_network(), TINY)
    assert sorted(folder.parent.rglob("*")) == before


def test_an_empty_folder_is_filled(tmp_path):
    save(tmp_path, random_network(), TINY)
    assert load_subject(tmp_path).name == "modular-addition"
