"""The closed forms that all MLPs share, plain or gated, with or without a norm in front.

With hidden units h = Σ_b n W_b ∘ m_b to first order, the Jacobian at a position is

    J = 1 + a (Σ_b W'_b diag(m_b) − n̂ᵀ l/d) W_out,    W'_b = P Γ W_b,  l = Σ_b (n̂ Γ W_b) ∘ m_b

(docs/method.md §5.3; without a norm a = 1, W' = W and l = 0).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lib_graph.kinds.norm import Norm
from lib_graph.kinds.switching import Switching
from lib_graph.kinds.tail import Tail, read_first, write_last
from lib_graph.method.ends import Ends, Narrow, in_blocks
from lib_graph.method.kind import Kind
from lib_graph.method.linear_map import LinearMap
from lib_graph.method.moments import InteractionMoments, counted_rows
from lib_graph.method.question import Question
from lib_graph.method.rules import Rule
from lib_graph.support.devices import exact, on_card, temporary

__all__ = ["Branch", "HiddenUnits", "affine"]


ELEMENTS = 1 << 20  # of a temporary
HELD = 1 << 22  # of the Jacobians of all rows that are held at once


class Branch(NamedTuple):
    """A linear map into the hidden units, and what its parameters are called."""

    name: str
    weight: Float[Tensor, "d h"]
    bias: Float[Tensor, " h"] | None


class _Slopes(NamedTuple):
    """a m_b for every branch, and with a norm a l and n̂: a row per sample and position."""

    branches: Float[Tensor, "ns b h"]
    carried: Float[Tensor, "ns h"] | None
    n_hat: Float[Tensor, "ns d"] | None


class HiddenUnits(Kind, ABC):
    """F(f) = f + h W_out + b_out at every position, h of n = norm(f), or of f without a norm.

    A subclass names the branches that h is made of, and says how, with the slopes.
    """

    w_out: Float[Tensor, "h d"]
    b_out: Float[Tensor, " d"] | None
    norm: Norm | None

    @abstractmethod
    def _branches(self) -> Sequence[Branch]:
        """Return the linear maps into the hidden units."""

    @abstractmethod
    def _hidden(self, before: Sequence[Float[Tensor, "*n h"]]) -> Float[Tensor, "*n h"]:
        """Return h for what the branches give."""

    @abstractmethod
    def _derivatives(self, before: Sequence[Float[Tensor, "ns h"]]) -> Sequence[Tensor]:
        """Return ∂h/∂(branch) for what the branches give."""

    @property
    def local(self) -> bool:
        """True: each position is mapped by itself."""
        return True

    def __call__(self, f: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
        """Return F(f)."""
        return f + affine(self._hidden(self._before(f)), self.w_out, self.b_out)

    def _before(self, f: Float[Tensor, "*n d"]) -> list[Float[Tensor, "*n h"]]:
        """Return what the branches give."""
        n = f if self.norm is None else self.norm(f)
        return [affine(n, branch.weight, branch.bias) for branch in self._branches()]

    def _slopes(self, f: Float[Tensor, "ns d"], alpha: float) -> _Slopes:
        """Return the slopes at α f, with the biases times α."""
        n_hat, a, n = None, None, alpha * f
        if self.norm is not None:
            n_hat, a = self.norm.normalised(n)
            n = self.norm.scaled(n_hat, alpha)
        before = [affine(n, branch.weight, branch.bias, alpha) for branch in self._branches()]
        slopes = torch.stack([*self._derivatives(before)], 1)
        if n_hat is None or a is None or self.norm is None:
            return _Slopes(slopes, None, None)
        slopes = a[:, None] * slopes
        moved = torch.stack([(n_hat * self.norm.gain) @ b.weight for b in self._branches()], 1)
        return _Slopes(slopes, (moved * slopes).sum(1), n_hat)

    def _along(self, rows: Float[Tensor, "ns d"], rule: Rule) -> list[tuple[float, _Slopes]]:
        """Return slopes and their weights along the path; without a norm their average will do."""
        nodes = [self._slopes(rows, alpha) for alpha in rule.nodes]
        if self.norm is not None:
            return list(zip(rule.weights, nodes, strict=True))
        mean = torch.stack([w * x.branches for w, x in zip(rule.weights, nodes, strict=True)])
        return [(1.0, _Slopes(mean.sum(0), None, None))]

    def _inward(self) -> Float[Tensor, "b d h"]:
        """Return W' of every branch."""
        weights = [branch.weight for branch in self._branches()]
        return torch.stack([w if self.norm is None else self.norm.projected(w) for w in weights])

    def second_moment(
        self,
        f: Float[Tensor, "n s d"],
        next_rotation: Float[Tensor, "d r"],
        rule: Rule,
        counted: Bool[Tensor, "n t"] | None = None,
    ) -> Float[Tensor, "d d"] | None:
        """Return N S · M' = Σ J K Jᵀ, or None for a norm's average along a path.

        With H = W_out K W_outᵀ: Σ K + X + Xᵀ + Σ_bc W'_b (H ∘ Σ a² m_bᵀ m_c) W'_cᵀ, and what
        n̂ᵀ l/d adds; X = (Σ_b W'_b diag(Σ a m_b) − Σ a n̂ᵀ l/d) W_out K.
        """
        along = self._along(counted_rows(f, counted), rule)
        if len(along) > 1:
            return None
        slopes, carried, n_hat = along[0][1]
        b, h = slopes.shape[1:]
        W, m = self._inward().movedim(0, 1).flatten(1), slopes.flatten(1)
        out = self.w_out @ next_rotation
        H = out @ out.T
        inner = (m.T @ m).unflatten(0, (b, h)).unflatten(2, (b, h)) * H[None, :, None]
        total = (
            len(m) * (next_rotation @ next_rotation.T) + W @ inner.flatten(2).flatten(0, 1) @ W.T
        )
        toward = (W * m.sum(0)).unflatten(1, (b, h)).sum(1)
        if carried is not None and n_hat is not None:
            d = n_hat.shape[1]
            toward = toward - n_hat.T @ carried / d
            back = carried @ H
            mixed = n_hat.T @ (back[:, None] * slopes).flatten(1) @ W.T / d
            total = total - mixed - mixed.T
            total = total + (n_hat * (back * carried).sum(1, keepdim=True)).T @ n_hat / d**2
        cross = toward @ out @ next_rotation.T
        return exact(total + cross + cross.T)

    def interactions(self, question: Question) -> Iterator[InteractionMoments]:
        """Yield the moments of A_itj = f̂_tj (c_j J_t C)_i, c_j = row j of C⁺."""
        f, readout = question.f, question.readout
        along, inward = self._along(f.flatten(0, 1), question.rule), self._inward()
        inward, out = question.inverse @ inward, self.w_out @ readout.rotation
        switched = self._switched(question, along, inward, out)
        if switched is not None:
            yield from switched
            return
        most = max(1, temporary(f, ELEMENTS) // (len(inward) * out.numel()))
        for which, rows, f_hat in question.sources(most):
            c = inward[:, which]
            through = (c.mT[..., None] * out[:, None]).flatten(2).flatten(0, 1)  # bh jr
            attributions = (rows @ readout.rotation).expand(f.shape[:2].numel(), -1, -1).clone()
            flat = attributions.view(len(attributions), -1)
            for weight, (slopes, carried, n_hat) in along:
                flat.addmm_(slopes.flatten(1), through, alpha=weight)
                if carried is not None and n_hat is not None:
                    turned = (n_hat @ rows.T)[..., None] * (-weight / n_hat.shape[1])
                    attributions.addcmul_(turned, (carried @ out)[:, None])
            attributions.mul_(f_hat.flatten(0, 1)[..., None])
            yield readout.moments(attributions.unflatten(0, f.shape[:2]).permute(2, 0, 1, 3))

    def _switched(
        self,
        question: Question,
        along: Sequence[tuple[float, _Slopes]],
        inward: Float[Tensor, "b j h"],
        out: Float[Tensor, "h r"],
    ) -> Iterator[InteractionMoments] | None:
        """Return the interactions by way of the units that switch between rows, if they are few.

        Not with a norm, whose factor changes all slopes, nor on a card: products are small here.
        """
        slopes, carried, _ = along[0][1]
        sources, targets = inward.shape[1], out.shape[1]
        most = min(sources, max(1, HELD // (len(slopes) * targets)))
        if carried is not None or on_card(slopes.device):
            return None
        switching = Switching.of(slopes.flatten(1), most * targets)
        if switching is None:
            return None
        u, v = inward.mT.flatten(0, 1), out.repeat(len(inward), 1)
        return _moments_of_rows(replace(question, chunk=most), switching, u, v)

    def narrowed(self, ends: Ends) -> Narrow:
        """Return c ↦ (c D + o + h W_out + b_out) R, with branches of c, or of a norm's ĉ."""
        scaled, inner = (_same, ends) if self.norm is None else self.norm.inside(ends)
        branches = [inner.affine(branch.weight, branch.bias) for branch in self._branches()]
        out, bias = ends.out(self.w_out, self.b_out)
        straight = ends.straight(bias)

        def narrow(c: Tensor) -> Tensor:
            n = scaled(c)
            return straight(c) + self._hidden([branch(n) for branch in branches]) @ out

        return in_blocks(narrow, len(self.w_out))

    def beside_residual(self) -> Tail:
        """Return [n, f] ↦ f + h W_out + b_out, h of n."""
        this, d = cast("Any", self), self.w_out.shape[1]  # a dataclass, as every subclass is
        into = {branch.name: read_first(branch.weight) for branch in self._branches()}
        w_out, b_out = write_last(self.w_out), write_last(self.b_out)
        return Tail(replace(this, norm=None, w_out=w_out, b_out=b_out, **into), 2 * d, d)

    def linear_maps(self) -> Sequence[LinearMap]:
        """Return the branches, read through slopes m: (Σ mᵀm) ∘ (W_out P W_outᵀ), and W_out."""
        norm = _same if self.norm is None else self.norm

        def reader(number: int) -> Callable[[Tensor, Tensor], Tensor]:
            def read(f: Tensor, P: Tensor) -> Tensor:
                m = self._derivatives(self._before(f))[number]
                return (m.T @ m) * (self.w_out @ P @ self.w_out.T)

            return read

        into = [LinearMap(*each, norm, reader(i)) for i, each in enumerate(self._branches())]
        hidden = LinearMap("w_out", self.w_out, self.b_out, lambda f: self._hidden(self._before(f)))
        return (*into, hidden)


def _moments_of_rows(
    question: Question, switching: Switching, u: Float[Tensor, "h j"], v: Float[Tensor, "h r"]
) -> Iterator[InteractionMoments]:
    """Yield the moments of A_itj, sources in pieces that stay in the caches."""
    readout, positions = question.readout, question.f.shape[:2]
    for which, rows, values in question.sources():
        jacobians = switching.jacobians(rows @ readout.rotation, u[:, which], v)
        f_hat = values.flatten(0, 1)[..., None]
        each = max(1, ELEMENTS // 2 // jacobians[:, 0].numel())
        for some, weights in zip(jacobians.split(each, 1), f_hat.split(each, 1), strict=True):
            yield readout.moments((some * weights).unflatten(0, positions).permute(2, 0, 1, 3))


def _same(x: Tensor) -> Tensor:
    return x


def affine(x: Tensor, weight: Tensor, bias: Tensor | None, alpha: float = 1.0) -> Tensor:
    """Return x W + α b."""
    return x @ weight if bias is None else x @ weight + alpha * bias
