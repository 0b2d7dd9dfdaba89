"""Cross-layer transcoders that stand in for MLPs: every edge is that of brute force.

The oracle writes the network out: what MLP i gives is Σ f̂_k D_ki + c_i + e_i over all k up to i, e
is a number, the rest is torch's autograd. Of the run it takes the bases of what bypasses them.
"""

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch.autograd.functional import jacobian

import ingest
import queries
from lib_graph.analysis.examples import find_examples
from tests.lib_graph.building.blocks import along
from tests.lib_graph.building.cross_layered import (
    BLOCKS,
    LAYERS,
    NAMES,
    D,
    R,
    build,
    data,
    module,
    parts,
    subject,
    written,
)

CASES = {
    "lib": ("lib", "mlp", BLOCKS),
    "pca, in front of norms": ("pca", "norm", BLOCKS),
    "lib, to two blocks, with skips": ("lib", "norm", 2),
}


@pytest.fixture(scope="module", params=CASES)
def built(request, tmp_path_factory):
    folder, (basis, read, reach) = tmp_path_factory.mktemp("clt"), CASES[request.param]
    hook = "hook_resid_mid" if read == "norm" else "mlp.hook_in"
    place = written(folder / "clt", hook, reach)
    layers = [each.replace("mlp:in", f"{read}:in") for each in LAYERS]
    return build(folder / "run", basis, str(place), layers=layers), Oracle(read, reach)


class Oracle:
    """The network, written out from the features of its MLPs on, of one sample."""

    def __init__(self, read, reach):
        self.net, self.before_norms, self.reach = module(), read == "norm", reach
        self.told = [{name: x.double() for name, x in each.items()} for each in parts(reach)]

    def carried(self, i):
        """The blocks whose features are carried to block i."""
        return range(max(0, i + 1 - self.reach), i)

    def read(self, i, x, bias, beta):
        """Features of block i, what skips them, the stream there, and what its MLP reads."""
        told, norm = self.told[i], self.net[1 + i].norm
        mixed = x + 0.3 * x.cumsum(-2)
        deviation = mixed - mixed.mean(-1, keepdim=True)
        n = deviation / (deviation.square().mean(-1, keepdim=True) + norm.eps).sqrt()
        read = n * norm.weight + beta
        told_of = mixed if self.before_norms else read
        before = told_of @ told["W_enc"].T + bias
        on = before.detach() > told["threshold"]
        skipped = told_of @ told["W_skip"] if "W_skip" in told else told_of[..., :0]
        return torch.where(on, before, 0.0), skipped, mixed, read

    def given(self, i, u, e, earlier, rest, c):
        """What the MLP of block i gives: `earlier` are the features of blocks before it."""
        y = c + e + u @ self.told[i]["W_dec"][:, 0] + (rest[..., :-D] if self.reach == 2 else 0)
        for k, f in zip(self.carried(i), parted(earlier), strict=True):
            y = y + f @ self.told[k]["W_dec"][:, i - k]
        return y

    def crossings(self, sample):
        """u, e, the features carried, and what skips and the stream, at every block."""
        x, every = self.net[0](sample), []
        for i, told in enumerate(self.told):
            u, skipped, mixed, read = self.read(i, x, told["b_enc"], self.net[1 + i].norm.bias)
            earlier = torch.cat([u[..., :0], *(every[k] for k in self.carried(i))], -1)
            rest, y = torch.cat([skipped, mixed], -1), self.net[1 + i].mlp(read)
            yield u, y - self.given(i, u, 0, earlier, rest, told["b_dec"]), earlier, rest
            x, every = mixed + y, [*every, u]

    def section(self, i):
        """What leads from block i to the next or to the stream, and its biases."""

        def to_stream(u, e, earlier, rest, c):
            return rest[..., -D:] + self.given(i, u, e, earlier, rest, c)

        def to_next(u, e, earlier, rest, c, bias, beta):
            x = to_stream(u, e, earlier, rest, c)
            v, skipped, mixed, _ = self.read(i + 1, x, bias, beta)
            held = torch.zeros_like(mixed)
            here = dict(zip([*self.carried(i), i], [*parted(earlier), u], strict=True))
            on = [here[k] for k in self.carried(i + 1)]
            return torch.cat([v, held[..., :1], *on, held, skipped, mixed], -1)

        c = self.told[i]["b_dec"]
        if i + 1 == BLOCKS:
            return to_stream, (c,)
        return to_next, (c, self.told[i + 1]["b_enc"], self.net[2 + i].norm.bias)


def parted(features):
    """Features of several blocks, block by block."""
    return features.unflatten(-1, (-1, R)).unbind(-2) if features.shape[-1] else ()


def attributions(built, i):
    """A of all samples out of block i: the constant, u, the error, the carried, and the rest."""
    run, oracle = built
    bases, carried = load_file(run.path / "bases.safetensors"), R * len(oracle.carried(i))
    own, (source, target) = R + 1 + carried, [*NAMES, "stream"][i : i + 2]
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
            *((u * 0, e * 0, g * row, rest * 0, *no) for row in torch.eye(carried)),
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
    table = pd.read_parquet(built[0].path / "interactions.parquet")
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
    run, oracle = built
    bases = load_file(run.path / "bases.safetensors")
    stream = module()[:-1](data())
    values = (stream - bases["stream.mean"]) @ bases["stream.rotation"]
    _, _, A = attributions(built, BLOCKS - 1)
    assert torch.allclose(A.sum(1), values, atol=1e-9)
    table = pd.read_parquet(run.path / "interactions.parquet")
    rows = table[table.target_layer == "stream"]
    assert np.allclose(rows.groupby("target").effect.sum(), values.mean((0, 1)), atol=1e-9)
    carried = rows.source.between(R + 2, R + 1 + R * len(oracle.carried(BLOCKS - 1)))
    without = rows[~carried].groupby("target").effect.sum()
    assert not np.allclose(without, values.mean((0, 1)), atol=1e-3)


@pytest.mark.slow
def test_carried_features_come_from_themselves_alone(built):
    run, oracle = built
    features = pd.read_parquet(run.path / "features.parquet")
    first, second = ({(k, j): R + 2 + n for n, (k, j) in enumerate(
        (k, j) for k in oracle.carried(i) for j in range(1, R + 1))} for i in (1, 2))  # fmt: skip
    for name, here in ((NAMES[1], first), (NAMES[2], second)):
        carried = features[(features.role == "carried") & (features.layer == name)]
        assert carried["index"].tolist() == [*here.values()]
        assert carried.label.tolist() == [f"{NAMES[k]}/{j}" for k, j in here]
    assert features.label.notna().sum() == len(first) + len(second)
    table = pd.read_parquet(run.path / "interactions.parquet")
    into = table[(table.target_layer == NAMES[2]) & table.target.isin(second.values())]
    into = into[into.share > 0]
    ever = features[(features.layer == NAMES[2]) & (features.variance > 0)]["index"]  # active
    come = {index: j if k == 1 else first[k, j] for (k, j), index in second.items()}
    pairs = sorted(zip(into.target, into.source, strict=True))
    assert pairs == [pair for pair in come.items() if pair[0] in set(ever)]
    assert len(pairs) > len(oracle.carried(2))
    assert np.allclose(into.share, 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("built", ["lib"], indirect=True)
def test_a_store_takes_it_and_modules_leave_errors_out(built, tmp_path):
    run, _ = built
    ingest.load(run, tmp_path / "graph.kgl")
    with queries.open_graph(tmp_path / "graph.kgl") as graph:
        members = {each for found in graph.communities().communities for each in found.members}
    features = pd.read_parquet(run.path / "features.parquet")
    nodes = features[features.role.isin(["feature", "carried"])]
    assert members == set(run.id + "/" + nodes.layer + "/" + nodes["index"].astype(str))
    assert set(features.role) == {"feature", "carried", "error", "constant", "output"}


@pytest.mark.slow
def test_a_run_can_be_the_place_and_is_opened_again(built, tmp_path):
    run, _ = built
    layers = [f"{name}={point}" for name, point in run.manifest.config.layers]
    find_examples(run, subject(layers), count=1)
    word = run.manifest.config.basis[0]
    places = [f"{name}={run.path}" for name in NAMES]
    assert build(tmp_path / "again", word, *places, layers=layers).id == run.id
