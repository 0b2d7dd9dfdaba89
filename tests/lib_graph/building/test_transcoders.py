"""Transcoders that stand in for MLPs: every edge is that of brute force, and nothing is missing.

The oracle writes the network out: what an MLP gives is f̂ D + c + x S + e, e is a number, and the
rest is torch's autograd. Of the run it takes the bases of what bypasses the transcoders.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch.autograd.functional import jacobian

import lib_graph
from lib_graph.errors import UsageError
from lib_graph.networks.subject import Subject
from tests.lib_graph.building.blocks import along
from tests.lib_graph.building.transcoded import (
    CASES,
    LAYERS,
    OWN,
    D,
    R,
    data,
    module,
    saelens,
    sparsify,
    transcoder,
)


@pytest.fixture(scope="module", params=CASES)
def built(request, tmp_path_factory):
    """A run over transcoders in SAELens's layout, by layer, or in a folder of sparsify's."""
    folder, case = tmp_path_factory.mktemp("transcoders"), request.param
    both = [transcoder(case, seed) for seed in (1, 2)]
    if case == "topk":
        for path, each in zip(("1.mlp", "2.mlp"), both, strict=True):
            sparsify(folder / path, each)
        basis = (folder,)
    else:
        names = ("first", "second")
        places = [saelens(folder / n, each) for n, each in zip(names, both, strict=True)]
        basis = ("lib", *(f"{n}={place}" for n, place in zip(names, places, strict=True)))
    run = lib_graph.build(
        module(), folder / "run", lib_graph.Options(basis=basis), data=data(), layers=LAYERS,
        force=True,
    )  # fmt: skip
    return run, Oracle(both)


class Oracle:
    """The network of `module`, written out from the features of its MLPs on."""

    def __init__(self, told):
        self.net, self.told = module(), told

    def active(self, i, before):
        t = self.told[i]
        if t.k is not None:
            return (before >= before.sort(descending=True).values[..., t.k - 1, None]) & (
                before > 0
            )
        return before > (0 if t.threshold is None else t.threshold)

    def read(self, i, x, bias, beta):
        """What crosses the MLP of block i, but for its error: u, x S and the stream."""
        t, norm = self.told[i], self.net[1 + i].norm
        mixed = x + 0.3 * x.cumsum(-2)
        deviation = mixed - mixed.mean(-1, keepdim=True)
        n = deviation / (deviation.square().mean(-1, keepdim=True) + norm.eps).sqrt()
        n = n * norm.weight + beta
        before = n @ t.encoder + bias
        u = torch.where(self.active(i, before.detach()), before, 0.0)
        return u, (n[..., :0] if t.skip is None else n @ t.skip), mixed, n

    def written(self, i, u, e, rest, c):
        """What block i gives, of what crosses its MLP."""
        skip = rest[..., :D] if self.told[i].skip is not None else 0
        return rest[..., -D:] + u @ self.told[i].decoders[:, 0] + c + skip + e

    def crossing(self, i, x):
        """u, e, and [x S, stream] at the MLP of block i."""
        t, block = self.told[i], self.net[1 + i]
        u, s, mixed, n = self.read(i, x, t.encoder_bias, block.norm.bias)
        rest = torch.cat([s, mixed], -1)
        told = self.written(i, u, 0, rest, t.decoder_bias) - mixed
        return u, block.mlp(n) - told, rest

    def sections(self, sample):
        """Of both sections behind transcoders: what they do, where, and the biases they take."""
        first, second = self.told
        at = self.crossing(0, self.net[0](sample))
        x = self.written(0, *at, first.decoder_bias)
        norm = self.net[2].norm

        def to_second(u, e, rest, c, bias, beta):
            u, s, mixed, _ = self.read(1, self.written(0, u, e, rest, c), bias, beta)
            return torch.cat([u, u[..., : D + 1] * 0, s, mixed], -1)

        def to_stream(u, e, rest, c):
            return self.written(1, u, e, rest, c)

        yield to_second, at, (first.decoder_bias, second.encoder_bias, norm.bias)
        yield to_stream, self.crossing(1, x), (second.decoder_bias,)


def attributions(run, oracle, number):
    """A_jti of all samples out of one layer: the constant, u, the error, and what bypasses."""
    bases = load_file(run.path / "bases.safetensors")
    source, target = [("first", "second"), ("second", "stream")][number]
    mean, inverse = bases[f"{source}.mean"][OWN:], bases[f"{source}.inverse"][R + 1 :, OWN:]
    rotation = bases[f"{source}.rotation"][OWN:, R + 1 :]
    C, mu = bases[f"{target}.rotation"], bases[f"{target}.mean"]
    every = []
    for sample in data():
        F, (u, e, rest), biases = [*oracle.sections(sample)][number]
        J = jacobian(F, (u, e, rest, *biases))
        no = [torch.zeros_like(x) for x in biases]
        values = (rest - mean) @ rotation
        tangents = [
            (u * 0, e * 0, mean.expand_as(rest), *biases),
            *((u * torch.eye(R).double()[j], e * 0, rest * 0, *no) for j in range(R)),
            (u * 0, e, rest * 0, *no),
            *((u * 0, e * 0, values[:, k, None] * row, *no) for k, row in enumerate(inverse)),
        ]
        rows = torch.stack([along(J, each) @ C for each in tangents])
        rows[0] -= mu @ C
        every.append(rows)
    return source, target, torch.stack(every)


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1])
def test_every_edge_is_that_of_brute_force(built, number):
    run, oracle = built
    table = pd.read_parquet(run.path / "interactions.parquet")
    source, target, A = attributions(run, oracle, number)
    rows = table[(table.source_layer == source) & (table.target_layer == target)]
    assert R + 1 in set(rows.source)
    for name, truth in (("strength", A.square()), ("effect", A)):
        expected = (truth.sum((0, 2)) / A.shape[0] / A.shape[2]).numpy()
        found = np.zeros(expected.shape)
        found[rows.source, rows.target - 1] = rows[name]
        assert np.allclose(found, expected, rtol=1e-8, atol=1e-10), name


@pytest.mark.slow
def test_attributions_sum_to_the_target(built):
    """Out of the second layer to the stream, which is linear: no input and no error is left out."""
    run, oracle = built
    bases = load_file(run.path / "bases.safetensors")
    table = pd.read_parquet(run.path / "interactions.parquet")
    net = module()
    stream = net[2](net[1](net[0](data())))
    values = (stream - bases["stream.mean"]) @ bases["stream.rotation"]
    _, _, A = attributions(run, oracle, 1)
    assert torch.allclose(A.sum(1), values, atol=1e-9)
    into = table[table.target_layer == "stream"].groupby("target").effect.sum()
    assert np.allclose(into.to_numpy(), values.mean((0, 1)), atol=1e-9)
    without = table[(table.target_layer == "stream") & (table.source != R + 1)]
    assert not np.allclose(without.groupby("target").effect.sum(), values.mean((0, 1)), atol=1e-3)


@pytest.mark.slow
def test_the_table_says_which_feature_is_the_error(built):
    run, oracle = built
    rows = pd.read_parquet(run.path / "features.parquet")
    here = rows[rows.layer == "second"].set_index("index")
    assert here.role[here.role == "error"].index.tolist() == [R + 1]
    at = [where for sample in data() for _, where, _ in [[*oracle.sections(sample)][1]]]
    error = torch.stack([e for _, e, _ in at]).square().sum(-1).mean()
    features = torch.stack([u for u, _, _ in at]).square().mean((0, 1))
    basis = run.manifest.config.basis[0]
    ratio = torch.ones(R + 1).double()
    if basis == "lib":  # times the mean squared effect of a move
        C = load_file(run.path / "bases.safetensors")["stream.rotation"]
        ways = torch.stack([e / e.norm(dim=-1, keepdim=True) for _, e, _ in at]) @ C
        D_C = oracle.told[1].decoders[:, 0] @ C
        ratio = torch.cat([D_C.square().sum(1), ways.square().sum(-1).mean()[None]])
    expected = torch.cat([features, error[None]]) * ratio
    assert np.allclose(here.importance.loc[1 : R + 1].astype(float), expected, rtol=1e-9)
    assert not (pd.read_parquet(run.path / "interactions.parquet").target == R + 1).any()
    y = module()[2].mlp(torch.stack([oracle.net[2].norm(r[..., -D:]) for _, _, r in at]))
    share = error / (y - y.mean((0, 1))).square().sum(-1).mean()
    assert run.manifest.checks["transcoder_error.second"] == pytest.approx(float(share))


@pytest.mark.slow
@pytest.mark.parametrize("built", ["topk"], indirect=True)
def test_what_is_asked_of_a_run_finds_the_transcoders_again(built, tmp_path):
    """Traces average to the run; the largest error is found; ablation says why it says nothing."""
    from lib_graph.analysis.ablation.bench import Bench
    from lib_graph.analysis.degeneracy.tables import degeneracy_of
    from lib_graph.analysis.examples import find_examples
    from lib_graph.analysis.trace import trace
    from lib_graph.run.histograms import read_histogram

    run, oracle = built
    subject = Subject.of(module(), data(), LAYERS)
    find_examples(run, subject, count=1)
    rows = pd.read_parquet(run.path / "examples.parquet").set_index(["layer", "index", "rank"])
    size = torch.stack([oracle.crossing(0, oracle.net[0](x))[1].norm(dim=-1) for x in data()])
    assert rows.value["first", R + 1, 1] == pytest.approx(float(size.max()))
    for index in range(
        1, R + 2
    ):  # nothing of a transcoder is below 0, the size of its error either
        found = read_histogram(run, "first", index)
        assert (found.start, found.below, found.total) == (0, 0, size.numel())
    edges = found.width * np.arange(len(found.counts) + 1)
    assert np.histogram(size, edges)[0].tolist() == list(found.counts)
    around = read_histogram(run, "first", R + 2)  # of what bypasses it
    assert around.start + around.end == pytest.approx(0)
    each = [trace(run, tmp_path / str(i), i, subject=subject) for i in range(len(data()))]
    tables = [pd.read_parquet(x.path / "interactions.parquet") for x in each]
    keys = ["source_layer", "source", "target_layer", "target"]
    mean = pd.concat(tables).groupby(keys).strength.sum() / len(tables)
    whole = pd.read_parquet(run.path / "interactions.parquet").set_index(keys).strength
    assert np.allclose(mean.reindex(whole.index), whole, rtol=1e-8)
    for refused in (Bench.of, degeneracy_of):
        with pytest.raises(UsageError, match="A transcoder stands in at layer 'first'"):
            refused(run, subject=subject)


@pytest.mark.slow
def test_a_run_can_be_the_place(built, tmp_path):
    run, _ = built
    word = "lib" if "lib" in run.manifest.config.basis else "pca"
    options = lib_graph.Options(basis=(word, f"first={run.path}",
                                       f"second={run.path}"))  # fmt: skip
    again = lib_graph.build(
        module(), tmp_path / "again", options, data=data(), layers=LAYERS, force=True
    )
    assert again.id == run.id
