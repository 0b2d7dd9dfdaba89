"""What an attention section's Jacobian has at t = s alone (docs/method.md §5.4).

With x_t = m_t X_tt, an output's effect on itself through the norm, split into xᵠ_t = m^Q_t Q_t and
the rest, which comes from value and key.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lib_graph.kinds.attention.one_pass import KEY, QUERY, VALUE, AttentionPass
from lib_graph.kinds.attention.spans import spans

__all__ = ["Own"]


@dataclass(frozen=True)
class Own:
    """The blocks of X_tt: the value's A_tt, the key's (q_t R_tᵀ)ᵀ b_tt, the query's Q_t."""

    pattern: Float[Tensor, "h n t 1"]
    q: Float[Tensor, "h n t e"]
    b: Float[Tensor, "h n t e"]
    query: Float[Tensor, "h n t e e"]
    a: Float[Tensor, "n t 1"]

    @classmethod
    def of(cls, here: AttentionPass) -> Own:
        """Return the blocks of a pass."""
        pattern = here.pattern[..., here.own].diagonal(dim1=-2, dim2=-1)[..., None]
        return cls(
            pattern,
            here.positions.unrotate(here.q, here.queries),
            here.scale * pattern * (here.v[:, :, here.own] - here.o),
            _query_blocks(here),
            here.a[:, here.own],
        )

    def straight(self) -> Float[Tensor, "3 h e e"]:
        """Return L = Σ a_t X_tt."""
        eye = torch.eye(self.q.shape[-1]).to(self.q)
        value = (self.a * self.pattern).sum((1, 2))[..., None] * eye
        key = (self.a * self.q).flatten(1, 2).mT @ self.b.flatten(1, 2)
        query = (self.a[..., None] * self.query).sum((1, 2))
        return torch.stack([value, key, query])

    def add_products(self, H: Float[Tensor, "h h e e"], gram: Float[Tensor, "3 h e 3 h e"]) -> None:
        """Add to G what query blocks have in common with values, keys and query blocks."""
        heads, e = len(self.q), self.q.shape[-1]
        weight = self.a.square()
        query, b = self.query.flatten(1, 2), self.b.flatten(1, 2)  # h nt e e, h nt e
        pattern, q = (weight * self.pattern).flatten(1), (weight * self.q).flatten(1, 2)
        mixed = (pattern @ query.flatten(2)).unflatten(2, (e, e))  # g h e e
        gram[VALUE, :, :, QUERY] += (H @ mixed.transpose(0, 1).mT).transpose(1, 2)
        by_row = query.transpose(1, 2).contiguous()  # h e nt e
        weighted = by_row * weight.flatten(0, 1)
        for h in range(heads):
            seen = (b @ H[:, h]).transpose(0, 1) @ query[h].mT  # nt g e
            gram[KEY, :, :, QUERY, h] += q.mT @ seen.transpose(0, 1)
            for g in spans(h, heads, by_row[0].numel(), by_row):
                onto = (weighted[h].flatten(0, 1) @ H[h, g]).unflatten(1, (e, -1))
                gram[QUERY, h, :, QUERY, g] += (
                    onto.flatten(2) @ by_row[g].flatten(2).mT
                ).transpose(0, 1)

    def add_carried(
        self,
        here: AttentionPass,
        H: Float[Tensor, "h h e e"],
        g: Float[Tensor, "3 h n s e"],
    ) -> Float[Tensor, "h n t e"]:
        """Return l_t = a_t x_t; add to g_s what a query block or the query's x_t is part of."""
        assert here.norm is not None
        m = here.norm.m[:, :, :, here.own]
        by_query = (m[QUERY, ..., None, :] @ self.query).squeeze(-2)
        turned = (m[KEY] * self.q).sum(-1, keepdim=True)
        x = by_query + self.pattern * m[VALUE] + turned * self.b
        weight = self.a.square()
        across = H.transpose(1, 2).flatten(2).flatten(0, 1)  # he he

        def onto(x: Float[Tensor, "h n t e"]) -> Float[Tensor, "h n t e"]:
            flat = x.permute(1, 2, 0, 3).flatten(2) @ across
            reached: Tensor = weight * flat.unflatten(2, (len(x), -1)).permute(2, 0, 1, 3)
            return reached

        from_query = onto(by_query)
        g[VALUE, :, :, here.own] += self.pattern * from_query
        g[KEY, :, :, here.own] += (from_query * self.b).sum(-1, keepdim=True) * self.q
        g[QUERY, :, :, here.own] += (self.query @ onto(x)[..., None]).squeeze(-1)
        return self.a * x


def _query_blocks(here: AttentionPass) -> Float[Tensor, "h n t e e"]:
    """Return Q_t = R_t Σ_u k_uᵀ b_tu."""
    e = here.q.shape[-1]
    blocks = []
    for h in spans(0, len(here.q), here.k[0].numel() * e, here.k):
        k, v, pattern = here.k[h], here.v[h], here.pattern[h]
        outer = (k[..., None] * v[..., None, :]).flatten(-2)
        found = (pattern @ outer).unflatten(-1, (e, e))
        found -= (pattern @ k)[..., None] * here.o[h, ..., None, :]
        blocks.append(found)
    columns = (here.scale * torch.cat(blocks)).movedim(-1, 2)  # h n e t e, a column in each row
    return here.positions.unrotate(columns, here.queries).movedim(2, -1)
