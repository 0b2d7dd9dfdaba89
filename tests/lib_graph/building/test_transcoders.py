"""Transcoders that stand in for MLPs: every edge is that of brute force, and nothing is missing.

The oracle writes the network out: what a part gives is f̂ D + c + x S + e, e is a number, and the
rest is torch's autograd. Of the run it takes the bases of what bypasses the transcoders.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.autograd.functional import jacobian

import lib_graph
from lib_graph.dictionaries.transcoders_file import as_tensors, read_transcoders
from lib_graph.method.transcoder import Transcoder
from tests.lib_graph.nets import random_

D, R, POSITIONS = 4, 7, 2
LAYERS = ["first=1.mlp:in", "second=2.mlp:in", "stream=3:in", "output"]


class Block(nn.Module):
    """A residual MLP behind a norm, and what mixes positions in front."""

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(D)
        self.mlp = nn.Sequential(nn.Linear(D, 2 * D), nn.Tanh(), nn.Linear(2 * D, D))

    def forward(self, x):
        mixed = x + 0.3 * x.cumsum(1)
        return mixed + self.mlp(self.norm(mixed))


def module():
    return random_(nn.Sequential(nn.Linear(3, D), Block(), Block(), nn.Linear(D, 2)))


def transcoder(seed, activation, **more):
    torch.manual_seed(seed)
    parts = torch.randn(D, R), torch.randn(R), torch.randn(R, 1, D) / 4, torch.randn(D)
    return Transcoder(*(x.double() for x in parts), activation, **more)


def skip(seed):
    torch.manual_seed(seed)
    return torch.randn(D, D).double() / 3


CASES = {
    "relu with a skip": lambda: [transcoder(i, "relu", skip=skip(i)) for i in (1, 2)],
    "topk": lambda: [transcoder(i, "topk", k=3) for i in (1, 2)],
    "jumprelu": lambda: [
        transcoder(i, "jumprelu", threshold=torch.linspace(0, 0.5, R).double()) for i in (1, 2)
    ],
}


def written(folder, stand_ins):
    """The transcoders as SAELens has them."""
    import json

    from safetensors.torch import save_file

    for layer, each in stand_ins.items():
        (here := folder / layer).mkdir()
        words = "jumprelu_" * (each.activation == "jumprelu") + "skip_" * (each.skip is not None)
        config = {"architecture": f"{words}transcoder", "normalize_activations": "none",
                  "metadata": {"sae_lens_version": "6.54.0"}}  # fmt: skip
        (here / "cfg.json").write_text(json.dumps(config))
        parts = {"W_enc": each.encoder, "b_enc": each.encoder_bias, "b_dec": each.decoder_bias,
                 "W_dec": each.decoders[:, 0]}  # fmt: skip
        if each.threshold is not None:
            parts["threshold"] = each.threshold
        if each.skip is not None:
            parts["W_skip"] = each.skip.T
        save_file({k: v.contiguous() for k, v in parts.items()}, here / "sae_weights.safetensors")
    return tuple(f"{layer}={folder / layer}" for layer in stand_ins)


def data():
    return torch.randn(5, POSITIONS, 3, generator=torch.Generator().manual_seed(9)).double()


@pytest.fixture(scope="module", params=CASES)
def built(request, tmp_path_factory):
    """A run over transcoders, as a file of theirs says them, or where none says topk, by the run's."""
    folder = tmp_path_factory.mktemp("transcoders")
    stand_ins = dict(zip(("first", "second"), CASES[request.param](), strict=True))
    basis = "pca" if request.param == "topk" else "lib"
    places = (folder,) if request.param == "topk" else written(folder, stand_ins)
    if request.param == "topk":
        sparsify(folder, stand_ins)
    run = lib_graph.build(
        module(), folder / "run", lib_graph.Options(basis=(basis, *places)), data=data(),
        layers=LAYERS, force=True,
    )  # fmt: skip
    return run, stand_ins


def sparsify(folder, stand_ins):
    """The same as sparsify has them, a folder for each hookpoint."""
    import json

    from safetensors.torch import save_file

    for path, each in zip(("1.mlp", "2.mlp"), stand_ins.values(), strict=True):
        (here := folder / path).mkdir()
        config = {"expansion_factor": 2, "num_latents": R, "k": each.k, "d_in": D,
                  "activation": "topk", "transcode": True, "skip_connection": False}  # fmt: skip
        (here / "cfg.json").write_text(json.dumps(config))
        parts = {"encoder.weight": each.encoder.T, "encoder.bias": each.encoder_bias,
                 "W_dec": each.decoders[:, 0], "b_dec": each.decoder_bias}  # fmt: skip
        save_file({k: v.contiguous() for k, v in parts.items()}, here / "sae.safetensors")


class Oracle:
    """The network of `module`, written out from the features of its MLPs on."""

    def __init__(self, stand_ins):
        self.net, self.told = module().requires_grad_(False), list(stand_ins.values())

    def features(self, t, x):
        before = x @ t.encoder + t.encoder_bias
        if t.k is not None:
            least = before.detach().sort(descending=True).values[..., t.k - 1 : t.k]
            on = (before >= least) & (before > 0)
        else:
            on = before > (0 if t.threshold is None else t.threshold)
        return torch.where(on, before, 0.0)

    def straight(self, t, x):
        return x[..., :0] if t.skip is None else x @ t.skip

    def decoded(self, t, u, s, c):
        return u @ t.decoders[:, 0] + c + (s if t.skip is not None else 0)

    def at(self, block, x):
        """Mixed positions, what the MLP reads of them, and what it gives."""
        mixed = x + 0.3 * x.cumsum(-2)
        n = block.norm(mixed)
        return mixed, n, block.mlp(n)

    def crossing(self, i, x):
        """u, e, and [x S, bypass] at the MLP of block i."""
        block, t = self.net[1 + i], self.told[i]
        mixed, n, y = self.at(block, x)
        u, s = self.features(t, n), self.straight(t, n)
        e = (y - self.decoded(t, u, s, t.decoder_bias)).detach()
        return u, e, torch.cat([s, mixed], -1)

    def after(self, i, u, e, rest, c):
        """What block i gives of what crosses its MLP."""
        t = self.told[i]
        s, mixed = rest[..., : rest.shape[-1] - D], rest[..., rest.shape[-1] - D :]
        return mixed + self.decoded(t, u, s, c) + e


def sections(oracle, sample):
    """Of each section: its function of (u, e, rest, biases), where it is, and the biases."""
    first, second = oracle.told
    x = oracle.net[0](sample)
    at = oracle.crossing(0, x)
    x = oracle.after(0, *at, first.decoder_bias)
    then = oracle.crossing(1, x)
    norm = oracle.net[2].norm

    def to_second(u, e, rest, c, beta, b):
        x = oracle.after(0, u, e, rest, c)
        mixed = x + 0.3 * x.cumsum(-2)
        n = (mixed - mixed.mean(-1, keepdim=True)) / (
            mixed.var(-1, unbiased=False, keepdim=True) + norm.eps
        ).sqrt() * norm.weight + beta
        t = second
        before = n @ t.encoder + b
        on = oracle.features(t, n.detach()) > 0
        return torch.cat([torch.where(on, before, 0.0), oracle.straight(t, n), mixed], -1)

    def to_stream(u, e, rest, c):
        return oracle.after(1, u, e, rest, c)

    yield to_second, at, (first.decoder_bias, norm.bias, second.encoder_bias)
    yield to_stream, then, (second.decoder_bias,)


def brute(run, stand_ins):
    """A_itj of two sections: sources are the constant, u, the error, and what bypasses."""
    bases = load_file(run.path / "bases.safetensors")
    found = []
    for number, (source, target) in enumerate([("first", "second"), ("second", "stream")]):
        rest_to = (slice(None), slice(None)) if target == "stream" else (slice(R, None),) * 2
        own = R + 1 + D
        mean, inverse = bases[f"{source}.mean"][own:], bases[f"{source}.inverse"][R + 1 :, own:]
        rotation = bases[f"{source}.rotation"][own:, R + 1 :]
        C, mu = bases[f"{target}.rotation"], bases[f"{target}.mean"]
        if target == "second":
            keep = [*range(R), *range(own, len(C))]
            error, C, mu = C[:, R], C[keep], mu[keep]
            assert int((error != 0).sum()) == 1
        parts = []
        for sample in data():
            F, (u, e, rest), biases = [*sections(Oracle(stand_ins), sample)][number]
            where = (u, e, rest, *biases)
            J = jacobian(F, where)  # t i s d, …, t i b

            def along(*tangents, J=J, C=C):
                moved = 0
                for j, v in zip(J, tangents, strict=True):
                    moved = moved + torch.einsum(f"ti{'sd'[2 - v.ndim:]},{'sd'[2 - v.ndim:]}->ti", j, v)
                return moved @ C

            none = [torch.zeros_like(x) for x in where]
            rows = [along(none[0], none[1], mean.expand_as(rest), *biases) - mu @ C]
            rows += [
                along(u * torch.eye(R)[j].double(), *none[1:]) for j in range(R)
            ]
            rows.append(along(none[0], e, *none[2:]))
            values = (rest - mean) @ rotation
            rows += [
                along(*none[:2], values[:, k, None] * inverse[k], *none[3:])
                for k in range(len(inverse))
            ]
            parts.append(torch.stack(rows))  # j t i
        found.append((source, target, torch.stack(parts)))
    return found


@pytest.mark.slow
def test_every_edge_is_that_of_brute_force(built):
    run, stand_ins = built
    table = pd.read_parquet(run.path / "interactions.parquet")
    for source, target, A in brute(run, stand_ins):
        rows = table[(table.source_layer == source) & (table.target_layer == target)]
        assert len(rows)
        for name, truth in (("strength", A.square()), ("effect", A)):
            expected = (truth.sum((0, 2)) / A.shape[0] / A.shape[2]).numpy()
            found = np.zeros(expected.shape)
            found[rows.source, rows.target - 1] = rows[name]
            assert np.allclose(found, expected, rtol=1e-8, atol=1e-10), (source, name)
