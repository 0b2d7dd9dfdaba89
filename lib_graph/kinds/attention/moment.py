"""The Jacobian second moment of an attention section in closed form (docs/method.md §5.4).

The Jacobian from input position s to output position t is, summed over heads,

    J_ts = δ_ts + a_s (W' − n̂_sᵀ m_s/d) X_ts W_O,    W' = P Γ [W_V | W_K | W_Q],
                                                       m_s = n̂_s Γ [W_V | W_K | W_Q]

(without a norm a = 1 and the n̂ term drops), and X_ts stacks three e × e blocks for every head:

    value A_ts,   key (q_t R_sᵀ)ᵀ b_ts,   query δ_ts Q_t,
    b_ts = scale · A_ts (v_s − o_t),      Q_t = R_t Σ_u k_uᵀ b_tu.

So with H = W_O K W_Oᵀ the moment is made of G = Σ_ts a_s² X H Xᵀ and g_s = a_s² Σ_t m_s X H Xᵀ and,
where t = s, of L = Σ_t a_t X_tt and l_t = a_t m_t X_tt. What has t ≠ s comes from `pairs`, with
temporaries no larger than samples × T × T for a pair of heads; what is at t = s alone, the query
blocks among it, from `own`. Nothing depends on the rank of K.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lib_graph.kinds.attention.one_pass import QUERIES, QUERIES_ON_CARD, AttentionPass
from lib_graph.kinds.attention.own import Own
from lib_graph.kinds.attention.pairs import add_pairs
from lib_graph.support.devices import exact, on_card, temporary

__all__ = ["second_moment"]

ROWS = 512  # samples × queries in a block


def second_moment(
    here: AttentionPass,
    inward: Float[Tensor, "3 d h e"],
    w_o: Float[Tensor, "h e out"],
    next_rotation: Float[Tensor, "out r"],
    counted: Bool[Tensor, "n t"] | None,
    residual: bool,
) -> Float[Tensor, "d d"]:
    """Return Σ_x Σ_ts J_ts K J_tsᵀ, W' = `inward`, over the t that count.

    Without a `residual` J has no term δ_ts.
    """
    _, d, h, e = inward.shape
    out = (w_o @ next_rotation).flatten(0, 1)
    H = (out @ out.T).unflatten(0, (h, e)).unflatten(2, (h, e)).transpose(1, 2)  # h g e e
    gram, straight = inward.new_zeros(3, h, e, 3, h, e), inward.new_zeros(3, h, e, e)
    by_norm = None if here.norm is None else _NormSums(inward)
    for _, _, block in here.counting(counted).blocks(*_block(here)):
        own = Own.of(block)
        own.add_products(H, gram)
        straight += own.straight()
        g = add_pairs(block, H, gram)
        if by_norm is not None and g is not None:
            by_norm.add(block, g, own.add_carried(block, H, g))
    W = inward.movedim(0, 1).flatten(1)
    moment = W @ _mirrored(gram) @ W.T
    aligned = torch.einsum("kdhi,khij->dhj", inward, straight).flatten(1)
    if by_norm is not None:
        mixed = by_norm.mixed @ W.T / d
        moment += by_norm.scaled / d**2 - mixed - mixed.T
        aligned -= by_norm.aligned / d
    if residual:
        n, t = here.q.shape[1:3]
        cross = aligned @ out @ next_rotation.T
        outputs = n * t if counted is None else counted.sum()
        moment += cross + cross.T + outputs * (next_rotation @ next_rotation.T)
    return exact(moment)


def _block(here: AttentionPass) -> tuple[int, int]:
    """Return samples and queries in a block."""
    heads, _, queries, sources = here.pattern.shape
    if not on_card(here.q.device):
        return max(1, ROWS // min(QUERIES, queries)), min(QUERIES, queries)
    queries = min(QUERIES_ON_CARD, queries)
    return max(1, temporary(here.q, ROWS) // (heads * queries * sources)), queries


def _mirrored(gram: Float[Tensor, "3 h e 3 h e"]) -> Float[Tensor, "3he 3he"]:
    """Return G, of which only the blocks in the upper triangle are filled."""
    blocks = gram.flatten(3, 4).flatten(0, 1).transpose(1, 2)  # 3h 3h e e
    whole = blocks + blocks.permute(1, 0, 3, 2)
    whole.diagonal(dim1=0, dim2=1).mul_(0.5)
    return whole.transpose(1, 2).flatten(2).flatten(0, 1)


class _NormSums:
    """What a norm adds: Σ n̂_sᵀ g_s, Σ n̂_sᵀ (g_s·m_s) n̂_s and Σ n̂_tᵀ l_t."""

    def __init__(self, inward: Float[Tensor, "3 d h e"]) -> None:
        _, d, h, e = inward.shape
        self.mixed = inward.new_zeros(d, 3 * h * e)
        self.scaled = inward.new_zeros(d, d)
        self.aligned = inward.new_zeros(d, h * e)

    def add(
        self,
        block: AttentionPass,
        g: Float[Tensor, "3 h n s e"],
        own: Float[Tensor, "h n t e"],
    ) -> None:
        """Add g_s and l_t of a block."""
        assert block.norm is not None
        n_hat = block.norm.n_hat.flatten(0, 1)
        self.mixed.addmm_(n_hat.T, g.permute(2, 3, 0, 1, 4).flatten(2).flatten(0, 1))
        length = (g * block.norm.m).sum((0, 1, 4)).flatten()
        self.scaled.addmm_(n_hat.T, length[:, None] * n_hat)
        n_hat = block.norm.n_hat[:, block.own].flatten(0, 1)
        self.aligned.addmm_(n_hat.T, own.permute(1, 2, 0, 3).flatten(2).flatten(0, 1))
