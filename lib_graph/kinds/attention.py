"""A residual attention section without a norm (docs/method.md §5.4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lib_graph.moments import InteractionMoments
from lib_graph.readout import Readout
from lib_graph.rules import Rule

__all__ = ["Attention"]

VALUE, KEY, QUERY = range(3)


class _Pass(NamedTuple):
    """One pass over the section, output positions t, input positions s, h heads of size e."""

    q: Float[Tensor, "n h t e"]
    k: Float[Tensor, "n h s e"]
    v: Float[Tensor, "n h s e"]
    pattern: Float[Tensor, "n h t s"]
    o: Float[Tensor, "n h t e"]


@dataclass(frozen=True)
class Attention:
    """F(f)_t = f_t + Σ_h Σ_s A^h_ts (f_s W_V + b_V)^h W_O^h + b_O for the output positions t.

    A = softmax(q kᵀ/√e) where `mask` allows. `mask` (s × s) and the output positions `outputs` are
    those of the input; W_Q, W_K, W_V are h × d × e, W_O is h × e × d.
    """

    w_q: Float[Tensor, "h d e"]
    w_k: Float[Tensor, "h d e"]
    w_v: Float[Tensor, "h d e"]
    w_o: Float[Tensor, "h e d"]
    b_q: Float[Tensor, "h e"]
    b_k: Float[Tensor, "h e"]
    b_v: Float[Tensor, "h e"]
    b_o: Float[Tensor, " d"]
    mask: Bool[Tensor, "s s"]
    outputs: slice

    def __call__(self, f: Float[Tensor, "n s d"]) -> Float[Tensor, "n t d"]:
        """Return F(f)."""
        written = torch.einsum("nhte,hed->ntd", self._forward(f, 1.0).o, self.w_o)
        return f[:, self.outputs] + written + self.b_o

    def _forward(self, f: Float[Tensor, "n s d"], alpha: float) -> _Pass:
        """Return the pass at α f, with the biases times α."""

        def project(w: Tensor, b: Tensor, x: Tensor) -> Tensor:
            return torch.einsum("nsd,hde->nhse", alpha * x, w) + alpha * b[:, None]

        q = project(self.w_q, self.b_q, f[:, self.outputs])
        k, v = project(self.w_k, self.b_k, f), project(self.w_v, self.b_v, f)
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        pattern = scores.masked_fill(~self.mask[self.outputs], -torch.inf).softmax(-1)
        return _Pass(q, k, v, pattern, pattern @ v)

    def second_moment(
        self,
        f: Float[Tensor, "n s d"],
        next_rotation: Float[Tensor, "d r"],
        rule: Rule,
        counted: Bool[Tensor, "n t"] | None = None,
    ) -> Float[Tensor, "d d"] | None:
        """Return N S · M' = n t K + W L W_O K + (W L W_O K)ᵀ + W G Wᵀ, or None for other rules.

        J_ts = δ_ts I + Σ_h W^h X^h_ts W_O^h with W = [W_V | W_K | W_Q], X stacked from three e × e
        blocks: value A_ts I, key q_tᵀ b_ts, query δ_ts Q_t, where b_ts = A_ts (v_s − o_t)/√e and
        Q_t = Σ_s k_sᵀ b_ts. G = Σ_ts X W_O K W_Oᵀ Xᵀ, L = Σ_t X_tt. An average of Jacobians along a
        path has no such blocks.
        """
        if rule.name != "gradient" or counted is not None:
            return None
        here = self._forward(f, 1.0)
        q, k, v, pattern, o = here
        n, h, t, e = q.shape
        at = torch.arange(f.shape[1], device=f.device)[self.outputs]  # the input position of each t
        b = pattern[..., None] * (v[:, :, None] - o[:, :, :, None]) / e**0.5
        query = torch.einsum("nhse,nhtsf->hntef", k, b)
        own = pattern[:, :, torch.arange(t), at].movedim(1, 0)  # A_tt
        own_b = b[:, :, torch.arange(t), at].movedim(1, 0)
        out = self.w_o @ next_rotation
        G = self._gram(here, b, query, own, own_b, out)

        straight = f.new_zeros(3, h, e, h, e)  # L
        heads = torch.arange(h)
        straight[VALUE, heads, :, heads] = own.sum((1, 2))[:, None, None] * torch.eye(e).to(f)
        straight[KEY, heads, :, heads] = torch.einsum("nhte,hntf->hef", q, own_b)
        straight[QUERY, heads, :, heads] = query.sum((1, 2))
        inward = torch.stack([self.w_v, self.w_k, self.w_q]).permute(2, 0, 1, 3).flatten(1)
        K = next_rotation @ next_rotation.T
        cross = inward @ straight.flatten(3).flatten(0, 2) @ (out.flatten(0, 1) @ next_rotation.T)
        return (n * t * K + cross + cross.T + inward @ G @ inward.T).double()

    def _gram(
        self,
        here: _Pass,
        b: Float[Tensor, "n h t s e"],
        query: Float[Tensor, "h n t e e"],
        own: Float[Tensor, "h n t"],
        own_b: Float[Tensor, "h n t e"],
        out: Float[Tensor, "h e r"],
    ) -> Float[Tensor, "3he 3he"]:
        """Return G, block by block for each pair of heads (i, j) with H = W_O^i K W_O^jᵀ."""
        q, pattern = here.q.movedim(1, 0), here.pattern.movedim(1, 0)
        b = b.movedim(1, 0)
        h, e = len(q), q.shape[-1]
        G = q.new_zeros(3, h, e, 3, h, e)
        spread = query.permute(0, 3, 1, 2, 4).reshape(h, e, -1)  # h e (n t e)
        for i in range(h):
            for j in range(h):
                H = out[i] @ out[j].T
                mixed = torch.einsum("nts,ntsf->ntf", pattern[i], b[j])
                G[VALUE, i, :, VALUE, j] = (pattern[i] * pattern[j]).sum() * H
                G[VALUE, i, :, KEY, j] = H @ torch.einsum("ntf,nte->fe", mixed, q[j])
                G[VALUE, i, :, QUERY, j] = H @ torch.einsum("nt,ntef->fe", own[i], query[j])
                seen = torch.einsum("ntf,ntef->nte", own_b[i] @ H, query[j])
                G[KEY, i, :, QUERY, j] = torch.einsum("nte,ntf->ef", q[i], seen)
                if i > j:
                    continue
                weight = ((b[i] @ H) * b[j]).sum((-1, -2))
                G[KEY, i, :, KEY, j] = torch.einsum("nte,ntf->ef", q[i] * weight[..., None], q[j])
                turned = (query[i] @ H).movedim(2, 0).reshape(e, -1)
                G[QUERY, i, :, QUERY, j] = turned @ spread[j].T
                G[KEY, j, :, KEY, i] = G[KEY, i, :, KEY, j].T
                G[QUERY, j, :, QUERY, i] = G[QUERY, i, :, QUERY, j].T
        for row, column in ((VALUE, KEY), (VALUE, QUERY), (KEY, QUERY)):
            G[column, :, :, row] = G[row, :, :, column].permute(2, 3, 0, 1)
        return G.flatten(3).flatten(0, 2)

    def interactions(
        self,
        f: Float[Tensor, "n s d"],
        features: Float[Tensor, "n s r"],
        inverse: Float[Tensor, "r d"],
        readout: Readout,
        rule: Rule,
        chunk: int,
    ) -> Iterator[InteractionMoments]:
        """Yield the moments of A_itj, feature j at all positions: no projection per feature.

        The tangents of q, k and v along feature j are f̂_j times c_j W_Q, c_j W_K and c_j W_V.
        """
        passes = [self._forward(f, alpha) for alpha in rule.nodes]
        out = (self.w_o @ readout.rotation).flatten(0, 1)
        for rows, f_hat in zip(
            inverse.split(chunk), features.movedim(-1, 0).split(chunk), strict=True
        ):
            into = torch.einsum("jd,whde->wjhe", rows, torch.stack([self.w_v, self.w_k, self.w_q]))
            moved = sum(
                (
                    weight * _tangent(here, into, f_hat, self.outputs)
                    for here, weight in zip(passes, rule.weights, strict=True)
                ),
                start=torch.zeros(()),
            )
            attributions = moved.flatten(3) @ out
            straight = rows @ readout.rotation
            attributions += f_hat[:, :, self.outputs, None] * straight[:, None, None]
            yield readout.moments(attributions)


def _tangent(
    here: _Pass,
    into: Float[Tensor, "3 j h e"],
    f_hat: Float[Tensor, "j n s"],
    outputs: slice,
) -> Float[Tensor, "j n t h e"]:
    """Return the derivative of o along each feature: do = dA v + A dv, dA = A ∘ (dS − Σ_s A dS)."""
    q, k, v, pattern, _ = here
    scale = q.shape[-1] ** -0.5
    from_query = torch.einsum("jhe,nhse->jnhs", into[QUERY], k)
    from_key = torch.einsum("jhe,nhte->jnht", into[KEY], q)
    d_scores = f_hat[:, :, None, outputs, None] * from_query[:, :, :, None]
    d_scores = (d_scores + from_key[..., None] * f_hat[:, :, None, None]) * scale
    weighted = pattern * d_scores
    d_pattern = weighted - pattern * weighted.sum(-1, keepdim=True)
    carried = torch.einsum("nhts,jns->jnth", pattern, f_hat)
    d_o: Tensor = (d_pattern @ v).transpose(2, 3)
    return d_o + carried[..., None] * into[VALUE][:, None, None]
