"""Attributions of an attention section with few positions (docs/method.md §5.4).

What reaches target i is a sum over heads and sources s, not over the coordinates of heads:

    A_itj = Σ_hs U_hsj (v_hs − o_ht) W_O^h C_i + Σ_h (A^h f̂'_j)_t c_j W'_V^h W_O^h C_i
            + Σ_s f̂''_sj Σ_h A^h_ts m^V_hs W_O^h C_i + f̂_tj c_j C_i

with U, f̂' and f̂'' as in `edges`. The factors that know nothing of j are made once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lib_graph.kinds.attention.edges import moved_scores, movement
from lib_graph.kinds.attention.one_pass import VALUE, AttentionPass
from lib_graph.method.question import Question

__all__ = ["FewPositions"]

EVERY = slice(None)


@dataclass(frozen=True)
class FewPositions:
    """Passes with their weights, and of each what its heads and sources write along C.

    `out` is W_O C, `inward` W'. `written` has a row for each head and source, and with a norm one
    more for each source.
    """

    along_path: Sequence[tuple[float, AttentionPass]]
    inward: Float[Tensor, "3 d h e"]
    out: Float[Tensor, "h e r"]
    written: Sequence[Float[Tensor, "nt k r"]]

    @staticmethod
    def suit(here: AttentionPass, sources: int) -> bool:
        """Return whether that takes half as many products or fewer, for so many sources at once.

        What is written may take twice as much memory as the attributions of these sources, at
        each node of a path.
        """
        heads, _, positions, size = here.k.shape
        terms = heads * positions + (0 if here.norm is None else positions)
        return 2 * (terms + heads) < heads * size and terms <= 2 * sources

    @classmethod
    def of(
        cls,
        along_path: Sequence[tuple[float, AttentionPass]],
        inward: Float[Tensor, "3 d h e"],
        out: Float[Tensor, "h e r"],
    ) -> FewPositions:
        """Return what is written in each pass."""
        return cls(along_path, inward, out, [_written(here, out) for _, here in along_path])

    @torch.no_grad()
    def attributions(
        self, question: Question, *, residual: bool
    ) -> Iterator[Float[Tensor, "j n t r"]]:
        """Yield the attributions of some sources each, in memory that the next ones overwrite."""
        first = self.along_path[0][1]
        (n, t), r = first.q.shape[1:3], self.out.shape[-1]
        most = min(question.chunk, len(question.inverse)) * n * t * r
        memory = question.f.new_empty(2, most)
        for _, rows, f_hat in question.sources():
            j = len(rows)
            found, through = (x[: j * n * t * r] for x in memory)
            by_head, by_value, scores = self._factors(rows, f_hat)
            if residual:
                own = f_hat[:, first.own].movedim(-1, 0)[..., None]
                straight = rows @ question.readout.rotation
                by_head = torch.cat([by_head, own], -1)
                by_value = torch.cat([by_value, straight[:, None]], 1)
            torch.bmm(by_head.flatten(1, 2), by_value, out=found.view(j, n * t, r))
            for U, written in zip(scores, self.written, strict=True):
                torch.bmm(U, written, out=through.view(n * t, j, r))
                found.view(j, n * t, r).add_(through.view(n * t, j, r).transpose(0, 1))
            yield found.view(j, n, t, r)

    def _factors(
        self, rows: Float[Tensor, "j d"], f_hat: Float[Tensor, "n s j"]
    ) -> tuple[Float[Tensor, "j n t h"], Float[Tensor, "j h r"], list[Float[Tensor, "nt j k"]]]:
        """Return Σ A^h f̂', c_j W'_V^h W_O^h C, and of each pass what `written` is multiplied by."""
        into = torch.einsum("jd,kdhe->khje", rows, self.inward)
        seen, scores = [], []
        for weight, here in self.along_path:
            along, swing = movement(here, rows, weight * f_hat)
            seen.append(here.pattern @ along)
            U = moved_scores(here, EVERY, into, along, swing).permute(1, 4, 3, 0, 2).flatten(3)
            if swing is not None:
                by_source = swing.mT[:, None].expand(-1, U.shape[1], -1, -1)
                U = torch.cat([U, by_source], -1)
            scores.append(U.flatten(0, 1))
        by_head = torch.stack(seen).sum(0).movedim(-1, 0).movedim(1, -1)
        return by_head, (into[VALUE] @ self.out).transpose(0, 1), scores


def _written(here: AttentionPass, out: Float[Tensor, "h e r"]) -> Float[Tensor, "nt k r"]:
    """Return (v_hs − o_ht) W_O^h C, and with a norm Σ_h A^h_ts m^V_hs W_O^h C."""
    apart = _onto(here.v, out)[:, :, None] - _onto(here.o, out)[:, :, :, None]  # h n t s r
    rows = apart.permute(1, 2, 0, 3, 4).flatten(2, 3)
    if here.norm is not None:
        carried = torch.einsum("hnts,hnsr->ntsr", here.pattern, _onto(here.norm.m[VALUE], out))
        rows = torch.cat([rows, carried], 2)
    return rows.flatten(0, 1)


def _onto(x: Float[Tensor, "h n s e"], out: Float[Tensor, "h e r"]) -> Float[Tensor, "h n s r"]:
    """Return x of each head times its `out`, which a broadcast product would copy for every n."""
    written: Tensor = (x.flatten(1, 2) @ out).unflatten(1, x.shape[1:3])
    return written
