"""The basis of a layer at which a transcoder stands in (docs/method.md §17)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from lib_graph.method.basis import LayerBasis
from lib_graph.method.network import Transcoded

__all__ = ["transcoded_basis"]


def transcoded_basis(
    told: Transcoded, importance: Float[Tensor, " own"], rest: LayerBasis | None
) -> LayerBasis:
    """Return the basis in which the transcoder's features and its error are features as they are.

    Of what bypasses them, `rest` is the basis, its features behind theirs (None: nothing does). No
    feature is along the direction of the error, which is held.

    >>> transcoded_basis(Transcoded(2, 3), torch.ones(3), None).rotation.shape
    torch.Size([6, 3])
    """
    bases = [LayerBasis(*_as_they_are(told), None, importance)]
    if rest is not None:
        bases.append(rest)
    return LayerBasis(
        torch.block_diag(*(basis.rotation for basis in bases)),
        torch.block_diag(*(basis.inverse for basis in bases)),
        torch.cat([basis.mean for basis in bases]),
        None,
        torch.cat([basis.importance for basis in bases if basis.importance is not None]),
    )


def _as_they_are(told: Transcoded) -> tuple[Tensor, Tensor, Tensor]:
    """Return C, C⁺ and μ = 0 of the features, the error's size, and its direction."""
    rotation = torch.eye(told.rest, told.own, dtype=torch.float64)
    return rotation, rotation.T.contiguous(), rotation.new_zeros(told.rest)
