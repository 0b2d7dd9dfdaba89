"""An attention section of any usual kind (docs/method.md §5.4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import partial

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import pad

from lib_graph.kinds.attention.edges import output_tangents
from lib_graph.kinds.attention.few import FewPositions
from lib_graph.kinds.attention.moment import second_moment
from lib_graph.kinds.attention.narrow import Heads, NarrowAttention, side_by_side
from lib_graph.kinds.attention.one_pass import AttentionPass, Normalised, Reach
from lib_graph.kinds.attention.positions import Fixed, Positions
from lib_graph.kinds.norm import Norm
from lib_graph.kinds.tail import Tail, read_first, write_last
from lib_graph.method.ends import Ends, Narrow
from lib_graph.method.kind import Kind
from lib_graph.method.linear_map import LinearMap
from lib_graph.method.moments import InteractionMoments
from lib_graph.method.question import Question
from lib_graph.method.rules import Rule

__all__ = ["Attention"]


@dataclass(frozen=True)
class Attention(Kind):
    """F(f)_t = f_t + Σ_h Σ_s A^h_ts v^h_s W_O^h + b_O, n = norm(f), or f without a norm.

    A = softmax(`scale` · q kᵀ) over the s that t sees, with q, k, v = n W + b and q and k turned by
    their `positions`. W_Q is h × d × e and W_O h × e × d; W_K and W_V are g × d × e, where each of
    the g heads serves h/g queries in a row. `scale` is 1/√e unless said otherwise.

    A position t sees itself and, if not `causal`, what comes after; with a `window` only those s
    with |t − s| < window, with a `mask` only those where its row is true. All of it holds for
    inputs of any length up to that of the mask and of the tables of positions. `outputs` are the
    positions t that the next layer has; without `residual` F has no term f_t.
    """

    w_q: Float[Tensor, "h d e"]
    w_k: Float[Tensor, "g d e"]
    w_v: Float[Tensor, "g d e"]
    w_o: Float[Tensor, "h e d"]
    b_q: Float[Tensor, "h e"] | None = None
    b_k: Float[Tensor, "g e"] | None = None
    b_v: Float[Tensor, "g e"] | None = None
    b_o: Float[Tensor, " d"] | None = None
    _: KW_ONLY
    norm: Norm | None = None
    positions: Positions = field(default_factory=Fixed)
    causal: bool = True
    window: int | None = None
    mask: Bool[Tensor, "s s"] | None = None
    scale: float | None = None
    outputs: slice = field(default_factory=lambda: slice(None))
    residual: bool = True

    def __call__(self, f: Float[Tensor, "n s d"]) -> Float[Tensor, "n t d"]:
        """Return F(f)."""
        written = torch.einsum("hnte,hed->ntd", self._pass(f).o, self.w_o)
        if self.b_o is not None:
            written = written + self.b_o
        return f[:, self.outputs] + written if self.residual else written

    def values(self, f: Float[Tensor, "n s d"]) -> Float[Tensor, "n t d"]:
        """Return F(f) by torch's fused attention."""
        q, k, v = (partial(_mapped, *heads.side_by_side) for heads in self._maps().values())
        n = f if self.norm is None else self.norm(f)
        written = self._fused(q, k, v, self.w_o)(n)
        if self.b_o is not None:
            written = written + self.b_o
        return f[:, self.outputs] + written if self.residual else written

    def _fused(self, q: Narrow, k: Narrow, v: Narrow, out: Float[Tensor, "h e m"] | None) -> Narrow:
        """Return what the heads write for given maps to queries, keys and values."""
        return NarrowAttention(
            q, k, v, out, len(self.w_q), self.positions, self._scale(), self.outputs, self._visible
        )

    def _visible(self, positions: int) -> Bool[Tensor, "t s"]:
        """Return which positions each output position sees in an input of some length."""
        at = torch.arange(positions, device=self.w_q.device)
        ahead = at - at[self.outputs, None]
        visible = ahead <= (0 if self.causal else positions)
        if self.window is not None:
            visible &= ahead.abs() < self.window
        if self.mask is not None:
            visible &= self.mask[:positions, :positions][self.outputs]
        return visible

    def _pass(self, f: Float[Tensor, "n s d"], alpha: float = 1.0) -> AttentionPass:
        """Return the pass at α f, with the biases times α."""
        self.positions.check(f.shape[1])
        n_hat, a, n = None, torch.ones_like(f[..., :1]), alpha * f
        if self.norm is not None:
            n_hat, a = self.norm.normalised(n)
            n = self.norm.scaled(n_hat, alpha)
        sources = range(f.shape[1])
        queries = sources[self.outputs]
        q = self._heads(n[:, self.outputs], self.w_q, self.b_q, alpha)
        k = self._heads(n, self.w_k, self.b_k, alpha)
        v = self._heads(n, self.w_v, self.b_v, alpha)
        q, k = self.positions.rotate(q, queries), self.positions.rotate(k, sources)
        hidden = ~self._visible(f.shape[1])
        pattern = (self._scale() * q @ k.mT).masked_fill(hidden, -torch.inf).softmax(-1)
        norm = None
        if n_hat is not None and self.norm is not None:
            gained = n_hat * self.norm.gain
            moved = [self._heads(gained, w) for w in (self.w_v, self.w_k, self.w_q)]
            norm = Normalised(n_hat, torch.stack(moved))
        return AttentionPass(
            q, k, v, pattern, pattern @ v, a, norm, Reach(self.causal, self.window), queries,
            sources, self.positions, self._scale(),
        )  # fmt: skip

    def _scale(self) -> float:
        return self.w_q.shape[-1] ** -0.5 if self.scale is None else self.scale

    def _heads(
        self,
        n: Float[Tensor, "n s d"],
        weight: Float[Tensor, "g d e"],
        bias: Float[Tensor, "g e"] | None = None,
        alpha: float = 1.0,
    ) -> Float[Tensor, "h n s e"]:
        """Return n W + α b of every head, those of a group repeated for each of its queries."""
        flat = n @ weight.movedim(0, 1).flatten(1)
        if bias is not None:
            flat = flat + alpha * bias.flatten()
        heads: Tensor = flat.unflatten(-1, (len(weight), -1)).movedim(2, 0)
        each = len(self.w_q) // len(weight)
        return heads.contiguous() if each == 1 else heads.repeat_interleave(each, 0)

    def _inward(self) -> Float[Tensor, "3 d h e"]:
        """Return P Γ [W_V | W_K | W_Q]."""
        weights = []
        for weight in (self.w_v, self.w_k, self.w_q):
            w = weight.repeat_interleave(len(self.w_q) // len(weight), 0).movedim(0, 1)
            flat = w.flatten(1) if self.norm is None else self.norm.projected(w.flatten(1))
            weights.append(flat.unflatten(1, w.shape[1:]))
        return torch.stack(weights)

    def second_moment(
        self,
        f: Float[Tensor, "n s d"],
        next_rotation: Float[Tensor, "d r"],
        rule: Rule,
        counted: Bool[Tensor, "n t"] | None = None,
    ) -> Float[Tensor, "d d"] | None:
        """Return N S · M' = Σ_ts J_ts K J_tsᵀ, or None for other rules: an average of Jacobians
        along a path is not the Jacobian of a pass.
        """
        if rule.name != "gradient":
            return None
        here = self._pass(f)
        return second_moment(here, self._inward(), self.w_o, next_rotation, counted, self.residual)

    def interactions(self, question: Question) -> Iterator[InteractionMoments]:
        """Yield the moments of A_itj, feature j at all positions."""
        readout, rule = question.readout, question.rule
        nodes = zip(rule.weights, rule.nodes, strict=True)
        along_path = [(weight, self._pass(question.f, alpha)) for weight, alpha in nodes]
        inward, out = self._inward(), self.w_o @ readout.rotation
        if FewPositions.suit(along_path[0][1], min(question.chunk, len(question.inverse))):
            few = FewPositions.of(along_path, inward, out)
            yield from map(readout.moments, few.attributions(question, residual=self.residual))
            return
        for _, rows, f_hat in question.sources():
            tangents = output_tangents(along_path, inward, rows, f_hat)
            attributions = tangents.flatten(3) @ out.flatten(0, 1)
            if self.residual:
                at_outputs = f_hat[:, self.outputs].movedim(-1, 0)[..., None]
                attributions.addcmul_(at_outputs, (rows @ readout.rotation)[:, None, None])
            yield readout.moments(attributions)

    def narrowed(self, ends: Ends) -> Narrow:
        """Return attention between few coordinates, c or with a norm ĉ (`Norm.inside`), and R."""
        scaled, inside = (_same, ends) if self.norm is None else self.norm.inside(ends)
        out, bias = ends.out(self.w_o, self.b_o)
        fewer = len(inside.directions) + 1 < self.w_q.shape[-1]
        by = self._by_coordinates if fewer and isinstance(self.positions, Fixed) else self._by_heads
        attend = by(inside, out)
        if not self.residual:
            return lambda c: attend(scaled(c)) + bias
        straight = ends.straight(bias)
        return lambda c: straight(c[:, self.outputs]) + attend(scaled(c))

    def _by_heads(self, inside: Ends, out: Float[Tensor, "h e m"]) -> Narrow:
        """Return what the heads write along R, of maps of c to their q, k and v.

        Where m < e, the values are read along R at once: each head's has m coordinates.
        """
        heads, read = self._maps(), out.shape[-1] < out.shape[-2]
        if read:
            heads["w_v"] = heads["w_v"].read_along(out)
        q, k, v = (inside.affine(*each.side_by_side) for each in heads.values())
        return self._fused(q, k, v, None if read else out)

    def _by_coordinates(self, inside: Ends, out: Float[Tensor, "h e m"]) -> Narrow:
        """Return what the heads write along R, where x = [c, 1] is narrower than a head.

        x is the keys, as q kᵀ = x_t (W_Q W_Kᵀ) x_sᵀ, and where m is not smaller yet the values.
        """
        q, k, v = (each.of_coordinates(inside, len(self.w_q)) for each in self._maps().values())
        query, written = side_by_side(q @ k.mT), v @ out
        read = written.shape[-1] < written.shape[-2]
        value = partial(_mapped, side_by_side(written), None) if read else _same
        attend = self._fused(partial(_mapped, query, None), _same, value, None if read else written)
        return lambda c: attend(pad(c, (0, 1), value=1.0))

    def _maps(self) -> dict[str, Heads]:
        return {
            "w_q": Heads(self.w_q, self.b_q),
            "w_k": Heads(self.w_k, self.b_k),
            "w_v": Heads(self.w_v, self.b_v),
        }

    def beside_residual(self) -> Tail | None:
        """Return [n, f] ↦ f + Attn(n); None without a residual."""
        if not self.residual:
            return None
        w_q, w_k, w_v = (read_first(weight) for weight in (self.w_q, self.w_k, self.w_v))
        w_o, b_o = write_last(self.w_o), write_last(self.b_o)
        whole = replace(self, w_q=w_q, w_k=w_k, w_v=w_v, w_o=w_o, b_o=b_o, norm=None)
        return Tail(whole, 2 * self.w_o.shape[-1], self.w_o.shape[-1])

    def linear_maps(self) -> Sequence[LinearMap]:
        """Return the maps of all heads side by side.

        What reads q, k and v, and what the heads write, is not looked at.
        """
        inputs = _same if self.norm is None else self.norm
        into = [
            LinearMap(name, *heads.side_by_side, inputs, reads=False)
            for name, heads in self._maps().items()
        ]
        return (*into, LinearMap("w_o", self.w_o.flatten(0, 1), self.b_o, None))

    def gauges(self) -> Mapping[str, int]:
        """Return those of each head of keys and values, with all queries that it serves."""
        (keys, _, size), values = self.w_k.shape, self.w_v.shape[-1]
        among = {name: keys * each for name, each in self.positions.gauges(size).items()}
        return {"basis of W_V and W_O per head": len(self.w_v) * values**2} | among


def _mapped(weight: Tensor, bias: Tensor | None, n: Tensor) -> Tensor:
    """Return n W + b."""
    return n @ weight if bias is None else n @ weight + bias


def _same(x: Tensor) -> Tensor:
    return x
