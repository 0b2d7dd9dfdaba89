"""Cross-layer transcoders that stand in for MLPs: every edge is that of brute force.

The oracle writes the network out: what MLP i gives is Σ f̂_k D_ki + c_i + e_i over all k up to i, e
is a number, the rest is torch's autograd. Of the run it takes the bases of what bypasses them.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.autograd.functional import jacobian

import ingest
import lib_graph
import queries
from lib_graph.analysis.examples import find_examples
from lib_graph.building.cross_layer import aligned
from lib_graph.dictionaries import read_dictionaries
from lib_graph.dictionaries.hooks import Hooks
from lib_graph.errors import UsageError
from lib_graph.networks.subject import Subject
from tests.lib_graph.building.blocks import Block, along
from tests.lib_graph.nets import random_

BLOCKS, D, R = 3, 3, 4
NAMES = [f"blocks.{i}.mlp.hook_in" for i in range(BLOCKS)]
LAYERS = [*(f"{name}={i + 1}.mlp:in" for i, name in enumerate(NAMES)), f"stream={BLOCKS + 1}:in",
          "output"]  # fmt: skip


def module():
    blocks = (Block(D) for _ in range(BLOCKS))
    return random_(nn.Sequential(nn.Linear(3, D), *blocks, nn.Linear(D, 2))).requires_grad_(False)


def data():
    return torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(9)).double()


def parts():
    """W_enc, b_enc, W_dec, b_dec and thresholds of every block, as circuit-tracer has them."""
    torch.manual_seed(5)
    return [
        {"W_enc": torch.randn(R, D), "b_enc": torch.rand(R), "b_dec": torch.randn(D) / 2,
         "W_dec": torch.randn(R, BLOCKS - i, D) / 4, "threshold": torch.rand(R) / 4}
        for i in range(BLOCKS)
    ]  # fmt: skip


def written(folder, hook="mlp.hook_in"):
    folder.mkdir()
    for i, each in enumerate(parts()):
        decoder = {f"W_dec_{i}": each.pop("W_dec")}
        save_file(decoder, folder / f"W_dec_{i}.safetensors")
        named = {f"{name}_{i}": x for name, x in each.items()}
        save_file(named, folder / f"W_enc_{i}.safetensors")
    (folder / "config.yaml").write_text(f"feature_input_hook: {hook}\n")
    return folder


def subject(layers):
    """The network with TransformerLens's names of its points."""
    hooks = {f"blocks.{i}.{name}": [f"{i + 1}.{path}:in"] for i in range(BLOCKS)
             for name, path in (("hook_resid_mid", "norm"), ("mlp.hook_in", "mlp"))}  # fmt: skip
    return replace(Subject.of(module(), data(), layers), hooks=Hooks(hooks))


def build(out, *basis, layers=LAYERS):
    return lib_graph.build(subject(layers), out, lib_graph.Options(basis=basis), force=True)


@pytest.fixture(scope="module", params=["lib", "pca", "pca, in front of norms"])
def built(request, tmp_path_factory):
    folder, (basis, _, before) = tmp_path_factory.mktemp("clt"), request.param.partition(", ")
    place = written(folder / "clt", "hook_resid_mid" if before else "mlp.hook_in")
    layers = [each.replace("mlp:in", "norm:in") for each in LAYERS] if before else LAYERS
    return build(folder / "run", basis, str(place), layers=layers)


class Oracle:
    """The network, written out from the features of its MLPs on, of one sample."""

    def __init__(self, layers):
        self.net, self.before_norms = module(), layers[NAMES[0]].endswith("norm:in")
        self.told = [{name: x.double() for name, x in each.items()} for each in parts()]

    def read(self, i, x, bias, beta):
        """Features of block i, the stream there, and what its MLP reads."""
        told, norm = self.told[i], self.net[1 + i].norm
        mixed = x + 0.3 * x.cumsum(-2)
        deviation = mixed - mixed.mean(-1, keepdim=True)
        n = deviation / (deviation.square().mean(-1, keepdim=True) + norm.eps).sqrt()
        read = n * norm.weight + beta
        before = (mixed if self.before_norms else read) @ told["W_enc"].T + bias
        on = before.detach() > told["threshold"]
        return torch.where(on, before, 0.0), mixed, read

    def given(self, i, u, e, earlier, c):
        """What the MLP of block i gives: `earlier` are the features of the blocks before it."""
        every = [*[*earlier.split(R, -1)][:i], u]
        return c + e + sum(f @ self.told[k]["W_dec"][:, i - k] for k, f in enumerate(every))

    def crossings(self, sample):
        """u, e, the features carried, and the stream, at every block."""
        x, earlier = self.net[0](sample), sample[..., :0]
        for i, told in enumerate(self.told):
            u, mixed, read = self.read(i, x, told["b_enc"], self.net[1 + i].norm.bias)
            y = self.net[1 + i].mlp(read)
            e = y - self.given(i, u, 0, earlier, told["b_dec"])
            yield u, e, earlier, mixed
            x, earlier = mixed + y, torch.cat([earlier, u], -1)

    def section(self, i):
        """What leads from block i to the next or to the stream, and its biases."""

        def to_stream(u, e, earlier, rest, c):
            return rest + self.given(i, u, e, earlier, c)

        def to_next(u, e, earlier, rest, c, bias, beta):
            x = to_stream(u, e, earlier, rest, c)
            v, mixed, _ = self.read(i + 1, x, bias, beta)
            held = torch.zeros_like(mixed)
            return torch.cat([v, held[..., :1], earlier, u, held, mixed], -1)

        c = self.told[i]["b_dec"]
        if i + 1 == BLOCKS:
            return to_stream, (c,)
        return to_next, (c, self.told[i + 1]["b_enc"], self.net[2 + i].norm.bias)


def attributions(run, i):
    """A of all samples out of block i: the constant, u, the error, the carried, the stream."""
    bases = load_file(run.path / "bases.safetensors")
    oracle = Oracle(dict(run.manifest.config.layers))
    own, (source, target) = R + 1 + i * R, [*NAMES, "stream"][i : i + 2]
    mean, inverse = bases[f"{source}.mean"][own + D :], bases[f"{source}.inverse"][own:, own + D :]
    rotation = bases[f"{source}.rotation"][own + D :, own:]
    C, mu = bases[f"{target}.rotation"], bases[f"{target}.mean"]
    F, biases = oracle.section(i)
    every = []
    for sample in data():
        u, e, g, rest = [*oracle.crossings(sample)][i]
        J = jacobian(F, (u, e, g, rest, *biases))
        no = [torch.zeros_like(x) for x in biases]
        values = (rest - mean) @ rotation
        tangents = [
            (u * 0, e * 0, g * 0, mean.expand_as(rest), *biases),
            *((u * row, e * 0, g * 0, rest * 0, *no) for row in torch.eye(R)),
            (u * 0, e, g * 0, rest * 0, *no),
            *((u * 0, e * 0, g * row, rest * 0, *no) for row in torch.eye(i * R)),
            *((u * 0, e * 0, g * 0, values[:, k, None] * row, *no)
              for k, row in enumerate(inverse)),
        ]  # fmt: skip
        rows = torch.stack([along(J, each) @ C for each in tangents])
        rows[0] -= mu @ C
        every.append(rows)
    return source, target, torch.stack(every)


@pytest.mark.slow
@pytest.mark.parametrize("i", range(BLOCKS))
def test_every_edge_is_that_of_brute_force(built, i):
    table = pd.read_parquet(built.path / "interactions.parquet")
    source, target, A = attributions(built, i)
    rows = table[(table.source_layer == source) & (table.target_layer == target)]
    for name, truth in (("strength", A.square()), ("effect", A)):
        expected = (truth.sum((0, 2)) / A.shape[0] / A.shape[2]).numpy()
        found = np.zeros(expected.shape)
        found[rows.source, rows.target - 1] = rows[name]
        assert np.allclose(found, expected, rtol=1e-8, atol=1e-10), name


@pytest.mark.slow
def test_attributions_sum_to_the_target(built):
    """Into the stream: own and carried features, errors, stream and constant leave nothing out."""
    bases = load_file(built.path / "bases.safetensors")
    stream = module()[:-1](data())
    values = (stream - bases["stream.mean"]) @ bases["stream.rotation"]
    _, _, A = attributions(built, BLOCKS - 1)
    assert torch.allclose(A.sum(1), values, atol=1e-9)
    table = pd.read_parquet(built.path / "interactions.parquet")
    rows = table[table.target_layer == "stream"]
    assert np.allclose(rows.groupby("target").effect.sum(), values.mean((0, 1)), atol=1e-9)
    carried = rows.source.between(R + 2, R + 1 + 2 * R)
    without = rows[~carried].groupby("target").effect.sum()
    assert not np.allclose(without, values.mean((0, 1)), atol=1e-3)


@pytest.mark.slow
def test_carried_features_come_from_themselves_alone(built):
    features = pd.read_parquet(built.path / "features.parquet")
    carried = features[features.role == "carried"]
    assert carried.groupby("layer")["index"].agg(list).to_dict() == {
        NAMES[1]: [6, 7, 8, 9], NAMES[2]: [6, 7, 8, 9, 10, 11, 12, 13],
    }  # fmt: skip
    table = pd.read_parquet(built.path / "interactions.parquet")
    into = table[(table.target_layer == NAMES[2]) & table.target.between(6, 13) & (table.share > 0)]
    pairs = sorted(zip(into.target, into.source, strict=True))
    ever = features[(features.layer == NAMES[2]) & (features.variance > 0)]["index"]  # active
    come = zip(range(6, 14), [6, 7, 8, 9, 1, 2, 3, 4], strict=True)
    assert pairs == [pair for pair in come if pair[0] in set(ever)]
    assert ever.between(6, 9).sum() > 1
    assert ever.between(10, 13).sum() > 1
    assert np.allclose(into.share, 1.0)
    labels = [f"{NAMES[0]}/{j}" for j in (1, 2, 3, 4)]
    assert carried[carried.layer == NAMES[1]].label.tolist() == labels
    assert features.label.notna().sum() == len(carried)


@pytest.mark.slow
@pytest.mark.parametrize("built", ["lib"], indirect=True)
def test_a_store_takes_it_and_modules_leave_errors_out(built, tmp_path):
    ingest.load(built, tmp_path / "graph.kgl")
    with queries.open_graph(tmp_path / "graph.kgl") as graph:
        members = {each for found in graph.communities().communities for each in found.members}
    features = pd.read_parquet(built.path / "features.parquet")
    nodes = features[features.role.isin(["feature", "carried"])]
    assert members == set(built.id + "/" + nodes.layer + "/" + nodes["index"].astype(str))
    assert set(features.role) == {"feature", "carried", "error", "constant", "output"}


@pytest.mark.slow
def test_a_run_can_be_the_place_and_is_opened_again(built, tmp_path):
    layers = [f"{name}={point}" for name, point in built.manifest.config.layers]
    find_examples(built, subject(layers), count=1)
    word = built.manifest.config.basis[0]
    places = [f"{name}={built.path}" for name in NAMES]
    assert build(tmp_path / "again", word, *places, layers=layers).id == built.id
    with pytest.raises(UsageError, match="with none left out of those of a run"):
        build(tmp_path / "two", "pca", *places[:2], layers=[*LAYERS[:2], *LAYERS[3:]])


def test_what_cannot_be_handed_on_is_refused(tmp_path):
    folder = written(tmp_path / "clt")
    between = [LAYERS[0], "middle=2:in", *LAYERS[1:]]
    with pytest.raises(UsageError, match=r"Layer 'middle' lies between .* Leave it out"):
        build(tmp_path / "run", "pca", str(folder), layers=between)
    turned = f"b={folder / 'W_enc_1.safetensors'}", f"a={folder / 'W_enc_0.safetensors'}"
    options, layers = lib_graph.Options(basis=turned), ["b=1.mlp:in", "a=2.mlp:in", "output"]
    with pytest.raises(UsageError, match=r"'b' of blocks\.1\.mlp\.hook_in, 'a' of blocks\.0"):
        lib_graph.build(module(), tmp_path / "run", options, data=data(), layers=layers)
    assert not (tmp_path / "run").exists()


def test_what_is_written_to_blocks_without_a_transcoder_is_left_out(tmp_path):
    folder = written(tmp_path / "clt")
    found = {f"at {i}": read_dictionaries(folder / f"W_enc_{i}.safetensors")[0] for i in (0, 2)}
    held = aligned(found, ["input", "at 0", "at 2", "output"])
    assert list(held) == ["at 0", "at 2"]
    decoders = [each["W_dec"].double() for each in parts()]
    assert torch.equal(held["at 0"].decoders, decoders[0][:, [0, 2]])
    assert torch.equal(held["at 2"].decoders, decoders[2])
