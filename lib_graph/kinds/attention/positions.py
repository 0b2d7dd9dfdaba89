"""What queries and keys do with their positions: nothing, or turn with them (rotary embedding)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from lib_graph.errors import ModelError
from lib_graph.kinds.attention.spans import spans

__all__ = ["Fixed", "Moving", "Positions", "Rotary"]


class Positions(Protocol):
    """Rotations R_s of the rows at positions s, in all that the closed forms need of them."""

    def check(self, length: int) -> None:
        """Raise ModelError if inputs of this length have positions without a rotation."""
        ...

    def rotate(self, x: Float[Tensor, "*n s e"], at: range) -> Float[Tensor, "*n s e"]:
        """Return x_s R_s for rows at the positions `at`."""
        ...

    def unrotate(self, x: Float[Tensor, "*n s e"], at: range) -> Float[Tensor, "*n s e"]:
        """Return x_s R_sᵀ for rows at the positions `at`."""
        ...

    def spread(
        self,
        q: Float[Tensor, "*n t e"],
        weights: Float[Tensor, "*n t s"],
        factor: Float[Tensor, "*n s 1"],
        at: range,
    ) -> Float[Tensor, "*n t e"]:
        """Return Σ_s weights_ts factor_s q_t R_sᵀ."""
        ...

    def products(
        self,
        q: Float[Tensor, "n t e"],
        others: Float[Tensor, "g n t e"],
        weights: Float[Tensor, "g n t s"],
        at: range,
    ) -> Float[Tensor, "g e e"]:
        """Return Σ_nts weights_ts (q_t R_sᵀ)ᵀ (other_t R_sᵀ) for each of the others."""
        ...

    def scores(self, q: Moving, k: Moving) -> Float[Tensor, "h n s j t"]:
        """Return how q_t R_t · k_s R_s moves along each feature."""
        ...

    def gauges(self, size: int) -> Mapping[str, int]:
        """Return the changes of W_Q and W_K of a head that no product of q and k shows."""
        ...


class Moving(NamedTuple):
    """The rows of q, k or v in some heads, and how they move along features j.

    `value` is turned by the positions `at`; before it turns, it moves by `along` · `into` and, with
    a norm in front, by `swing` · `m` as well.
    """

    value: Float[Tensor, "h n s e"]
    at: range
    along: Float[Tensor, "n s j"]
    into: Float[Tensor, "h j e"]
    swing: Float[Tensor, "n s j"] | None
    m: Float[Tensor, "h n s e"] | None

    def tangent(self) -> Float[Tensor, "h n s j e"]:
        """Return how the rows move, before they turn."""
        found = self.along[..., None] * self.into[:, None, None]
        if self.swing is not None and self.m is not None:
            found.addcmul_(self.swing[..., None], self.m[:, :, :, None])
        return found


@dataclass(frozen=True)
class Fixed:
    """No rotation: R_s = 1."""

    def check(self, length: int) -> None:
        """Do nothing: any length will do."""

    def rotate(self, x: Tensor, at: range) -> Tensor:
        """Return x."""
        return x

    def unrotate(self, x: Tensor, at: range) -> Tensor:
        """Return x."""
        return x

    def spread(self, q: Tensor, weights: Tensor, factor: Tensor, at: range) -> Tensor:
        """Return q_t Σ_s weights_ts factor_s."""
        return q * (weights @ factor)

    def products(self, q: Tensor, others: Tensor, weights: Tensor, at: range) -> Tensor:
        """Return Σ_nt (Σ_s weights_ts) q_tᵀ other_t."""
        weighted = q * weights.sum(-1, keepdim=True)
        found: Tensor = weighted.flatten(1, 2).mT @ others.flatten(1, 2)
        return found

    def scores(self, q: Moving, k: Moving) -> Tensor:
        """Return the sum of products of vectors of s, j and t: no tangent is made."""
        by_key = (q.value.flatten(1, 2) @ k.into.mT).unflatten(1, q.value.shape[1:3])  # h n t j
        by_query = (k.value.flatten(1, 2) @ q.into.mT).unflatten(1, k.value.shape[1:3])  # h n s j
        found: Tensor = k.along[..., None] * by_key.mT[:, :, None]
        found.addcmul_(by_query[..., None], q.along.mT[:, None])
        if k.swing is not None and k.m is not None and q.swing is not None and q.m is not None:
            found.addcmul_(k.swing[..., None], (k.m @ q.value.mT)[:, :, :, None])
            found.addcmul_((k.value @ q.m.mT)[:, :, :, None], q.swing.mT[:, None])
        return found

    def gauges(self, size: int) -> Mapping[str, int]:
        """Return any basis."""
        return {"basis of W_Q and W_K per head": size**2}


@dataclass(frozen=True)
class Rotary:
    """Coordinates i and i + e/2 turn together, as in the Llama family.

    `cos` and `sin` are the tables of the angles: a row for each position, a column for each pair.
    """

    cos: Float[Tensor, "s half"]
    sin: Float[Tensor, "s half"]

    def check(self, length: int) -> None:
        """Raise ModelError if the tables are shorter."""
        if length > len(self.cos):
            raise ModelError(
                f"The rotary tables hold {len(self.cos)} positions, the inputs have {length}. Give "
                "shorter inputs."
            )

    def rotate(self, x: Tensor, at: range) -> Tensor:
        """Return x_s R_s."""
        return _turned(x, self.cos[_rows(at)], self.sin[_rows(at)])

    def unrotate(self, x: Tensor, at: range) -> Tensor:
        """Return x_s R_sᵀ."""
        return _turned(x, self.cos[_rows(at)], -self.sin[_rows(at)])

    def spread(self, q: Tensor, weights: Tensor, factor: Tensor, at: range) -> Tensor:
        """Return q_t turned by the weighted sums of the tables."""
        tables = torch.cat([self.cos[_rows(at)], -self.sin[_rows(at)]], -1)
        cos, sin = (weights @ (factor * tables)).chunk(2, -1)
        return _turned(q, cos, sin)

    def products(self, q: Tensor, others: Tensor, weights: Tensor, at: range) -> Tensor:
        """Return the products of each s, turned back on both sides, and summed."""
        e = q.shape[-1]
        parts = []
        for g in spans(0, len(others), q.numel() * e, q):
            outer = (q[..., :, None] * others[g, ..., None, :]).flatten(-2)
            at_s = weights[g].flatten(1, 2).mT @ outer.flatten(1, 2)  # g s (i j)
            by_row = at_s.unflatten(-1, (e, e)).transpose(1, 2)  # g i s j
            once = self.unrotate(by_row, at).transpose(1, 3)  # g j s i
            parts.append(self.unrotate(once, at).sum(2).mT)
        return torch.cat(parts)

    def scores(self, q: Moving, k: Moving) -> Tensor:
        """Return the products with the tangents, turned."""
        dq = self.rotate(q.tangent().transpose(2, 3), q.at)  # h n j t e
        dk = self.rotate(k.tangent().transpose(2, 3), k.at).transpose(2, 3)  # h n s j e
        h, n, j, t, _ = dq.shape
        found: Tensor = k.value @ dq.flatten(2, 3).mT  # h n s (j t)
        sj_by_t = found.view(h * n, -1, t)
        sj_by_t.baddbmm_(dk.flatten(2, 3).flatten(0, 1), q.value.mT.flatten(0, 1))
        return sj_by_t.view(h, n, -1, j, t)

    def gauges(self, size: int) -> Mapping[str, int]:
        """Return what commutes with the rotations: a scale and a phase of each pair."""
        return {"scale and phase of each rotary pair of W_Q and W_K per head": size}


def _rows(at: range) -> slice:
    return slice(at.start, at.stop, at.step)


def _turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)
