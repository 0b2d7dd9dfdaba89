"""Closed forms of sections against the yardstick, kind by kind: ratios of CPU seconds.

Both run on one thread of one process, in float32, on the same 1,024 positions. Activations and
weights are random: neither cost depends on them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.measuring import Figure, Sample, in_fresh_process, repeated
from benchmarks.yardstick import interactions_loop, moment_loop
from lib_graph.kinds import Attention, Fixed, GatedMLP, Norm, ResidualMLP, Rotary
from lib_graph.method.kind import Kind
from lib_graph.method.question import Question
from lib_graph.method.readout import Readout
from lib_graph.method.rules import Rule

__all__ = ["measure_sections"]

POSITIONS = 1024  # samples × positions in a batch
PASSES = 12  # of each loop of the yardstick that are made; the rest is counted
FEATURES = 64  # sources whose interactions are computed; the rest is counted
CHUNK = 8
GRADIENT = Rule.named("gradient")

Function = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Case:
    """A section of width d on samples of t positions, and plain ways to compute it."""

    kind: Kind
    d: int
    t: int
    plain: tuple[Function, ...]
    positions: int = POSITIONS


@dataclass(frozen=True)
class Seconds:
    """CPU seconds of the second moment and of the interactions of all features."""

    moment: float
    edges: float


def measure_sections(repeat: int) -> list[Figure]:
    """How many times faster than the yardstick each kind is, and how the cost grows."""
    samples = [
        {
            name: value
            for function in (small_attention, large_attention, gated_mlp, gpt2_block, growth)
            for name, value in in_fresh_process(function)[0].items()
        }
        for _ in range(repeat)
    ]
    return repeated(samples, dict.fromkeys(samples[0], "×"), PROMISED, at_least=True)


PROMISED = {
    f"{case}, T {t}: {part}": float(promise)
    for case in ("attention d 64", "attention d 768")
    for t, promises in {64: (70, 50), 128: (150, 130), 256: (500, 300)}.items()
    for part, promise in zip(("moment", "edges"), promises, strict=True)
} | {
    "gated MLP d 64, T 128: moment": 400.0,
    "gated MLP d 64, T 128: edges": 100.0,
    "gated MLP d 576, T 128: moment": 400.0,
    "gated MLP d 576, T 128: edges": 100.0,
    "GPT2-small block, T 128: whole": 150.0,
}


def small_attention() -> Sample:
    """Attention as in stories260k: 8 heads of 8, 4 of keys, RMSNorm, rotary positions."""
    return _ratios({f"attention d 64, T {t}": llama_attention(64, t) for t in (64, 128, 256)})


def large_attention() -> Sample:
    """Attention as in GPT2-small: 12 heads of 64, LayerNorm."""
    return _ratios({f"attention d 768, T {t}": gpt2_attention(t) for t in (64, 128, 256)})


def gated_mlp() -> Sample:
    """Gated MLPs behind an RMSNorm, of the sizes of stories260k and SmolLM2-135M."""
    sizes = {64: 172, 576: 1536}
    return _ratios({f"gated MLP d {d}, T 128": llama_mlp(d, h, 128) for d, h in sizes.items()})


def gpt2_block() -> Sample:
    """Both sections of a GPT2-small-shaped block, moments and edges together."""
    cases = [gpt2_attention(128), gpt2_mlp(128)]
    slow, fast = _total(map(_yardstick, cases)), _total(map(_closed, cases))
    name = "GPT2-small block, T 128"
    return {
        f"{name}: moment": slow.moment / fast.moment,
        f"{name}: edges": slow.edges / fast.edges,
        f"{name}: whole": (slow.moment + slow.edges) / (fast.moment + fast.edges),
    }


def growth() -> Sample:
    """What the cost of attention is multiplied by where something doubles."""
    base = _closed(llama_attention(128, 128))
    doubled = {
        "tokens": _closed(llama_attention(128, 128, 2 * POSITIONS)),
        "context": _closed(llama_attention(128, 256)),
        "width": _closed(llama_attention(256, 128)),
    }
    return {
        f"attention, {what} doubled: {part} takes": getattr(seconds, part) / getattr(base, part)
        for what, seconds in doubled.items()
        for part in ("moment", "edges")
    }


def llama_attention(d: int, t: int, positions: int = POSITIONS) -> Case:
    """8 heads, 4 of keys and values, rotary positions, RMSNorm."""
    e = d // 8
    angles = torch.arange(t)[:, None] * 1e4 ** (-2 * torch.arange(e // 2) / e)
    kind = Attention(
        *(_random(h, d, e) for h in (8, 4, 4)),
        _random(8, e, d),
        norm=Norm(torch.ones(d), None, 1e-5, centred=False),
        positions=Rotary(angles.cos(), angles.sin()),
    )
    return Case(kind, d, t, _plain(kind), positions)


def gpt2_attention(t: int) -> Case:
    """12 heads, LayerNorm, biases."""
    kind = Attention(
        *(_random(12, 768, 64) for _ in range(3)),
        _random(12, 64, 768),
        *(_random(12, 64) for _ in range(3)),
        _random(768),
        norm=Norm(torch.ones(768), torch.zeros(768), 1e-5, centred=True),
    )
    return Case(kind, 768, t, _plain(kind))


def gpt2_mlp(t: int) -> Case:
    """768 to 3072 and back, LayerNorm, biases."""
    norm = Norm(torch.ones(768), torch.zeros(768), 1e-5, centred=True)
    weights = _random(768, 3072), _random(3072), _random(3072, 768), _random(768)
    kind = ResidualMLP(*weights, "gelu_tanh", norm)
    return Case(kind, 768, t, (kind,))


def llama_mlp(d: int, h: int, t: int) -> Case:
    """A gated MLP, RMSNorm."""
    norm = Norm(torch.ones(d), None, 1e-5, centred=False)
    kind = GatedMLP(_random(d, h), _random(d, h), _random(h, d), "silu", norm)
    return Case(kind, d, t, (kind,))


def _random(*shape: int) -> Tensor:
    return torch.randn(shape) / shape[-2 if len(shape) > 1 else 0] ** 0.5


def _plain(kind: Attention) -> tuple[Function, ...]:
    """Return causal attention as users write it, with fused and with explicit attention."""

    def section(f: Tensor, attend: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Tensor:
        n, at = f if kind.norm is None else kind.norm(f), torch.arange(f.shape[1])

        def heads(weight: Tensor, bias: Tensor | None) -> Tensor:
            flat = n @ weight.movedim(0, 1).flatten(1)
            flat = flat if bias is None else flat + bias.flatten()
            found = flat.unflatten(-1, (len(weight), -1)).transpose(1, 2)
            return found.repeat_interleave(len(kind.w_q) // len(weight), 1)

        q, k = heads(kind.w_q, kind.b_q), heads(kind.w_k, kind.b_k)
        if not isinstance(kind.positions, Fixed):
            q, k = kind.positions.rotate(q, at), kind.positions.rotate(k, at)
        o = attend(q, k, heads(kind.w_v, kind.b_v)).transpose(1, 2).flatten(2)
        return f + o @ kind.w_o.flatten(0, 1)

    def explicit(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        hidden = torch.ones(q.shape[-2], q.shape[-2], dtype=torch.bool).triu(1)
        scores = (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(hidden, -torch.inf)
        return scores.softmax(-1) @ v

    def fused(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return functional.scaled_dot_product_attention(q, k, v, is_causal=True)

    return (lambda f: section(f, explicit), lambda f: section(f, fused))


def _ratios(cases: dict[str, Case]) -> Sample:
    ratios = {}
    for name, case in cases.items():
        slow, fast = _yardstick(case), _closed(case)
        ratios[f"{name}: moment"] = slow.moment / fast.moment
        ratios[f"{name}: edges"] = slow.edges / fast.edges
    return ratios


def _total(parts: Iterable[Seconds]) -> Seconds:
    moments, edges = zip(*((part.moment, part.edges) for part in parts), strict=True)
    return Seconds(sum(moments), sum(edges))


def _data(case: Case) -> tuple[Tensor, Tensor, Tensor]:
    """Return activations, and rotation and inverse of as many features as there are coordinates."""
    torch.set_num_threads(1)  # waiting threads would count as busy
    rotation = torch.randn(case.d, case.d) / case.d**0.5
    f = torch.randn(case.positions // case.t, case.t, case.d)
    return f, rotation, torch.linalg.inv(rotation)


def _yardstick(case: Case) -> Seconds:
    """Return what the loop takes, with the faster of the plain ways."""
    f, rotation, inverse = _data(case)
    features = f @ rotation
    moments = [moment_loop(plain, f, rotation, PASSES) for plain in case.plain]
    edges = [
        interactions_loop(plain, f, features, inverse, rotation, PASSES) for plain in case.plain
    ]
    return Seconds(min(x.seconds for x in moments), min(x.seconds for x in edges))


@torch.no_grad()
def _closed(case: Case) -> Seconds:
    """Return what the closed forms take."""
    f, rotation, inverse = _data(case)
    readout = Readout(rotation, case.positions)
    features, inverse = (f @ rotation)[..., :FEATURES], inverse[:FEATURES]

    def moment() -> None:
        case.kind.second_moment(f, rotation, GRADIENT, None)

    def edges() -> None:
        question = Question(f, features, inverse, readout, GRADIENT, CHUNK)
        for _ in case.kind.interactions(question) or ():
            pass

    return Seconds(_cpu(moment), _cpu(edges) * case.d / FEATURES)


def _cpu(action: Callable[[], None]) -> float:
    """Return CPU seconds of an action that was done once before."""
    action()
    start = time.process_time()
    action()
    return time.process_time() - start
