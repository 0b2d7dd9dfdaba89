"""Any dictionary as a basis, such as that of a sparse autoencoder (docs/method.md §9)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lib_graph.method.basis import LayerBasis, RawBasis
from lib_graph.support.devices import CPU

__all__ = ["ACTIVATIONS", "Basis", "Dictionary", "most_important"]

ACTIVATIONS = ("identity", "relu")


@dataclass(frozen=True)
class Dictionary:
    """Features f̂ = act(f W + b) of a layer, back f ≈ f̂ D + c; there may be more than coordinates.

    `encoder` is W (d × r), `encoder_bias` b (r), `decoder` D (r × d), `decoder_bias` c (d), and
    `activation` one of ACTIVATIONS. `importance` is E[f̂²] unless the file says otherwise. The
    constant feature stands for c: it is a feature, but no column.

    >>> one = torch.eye(2)
    >>> relus = Dictionary(torch.cat([one, -one], 1), torch.zeros(4), torch.cat([one, -one]),
    ...                    torch.zeros(2), "relu")
    >>> relus.coordinates(torch.tensor([[[3.0, -2.0]]]))
    tensor([[[3., 0., 0., 2.]]])
    """

    encoder: Float[Tensor, "d r"]
    encoder_bias: Float[Tensor, " r"]
    decoder: Float[Tensor, "r d"]
    decoder_bias: Float[Tensor, " d"]
    activation: str
    importance: Float[Tensor, " r"] | None = None
    raw: ClassVar[bool] = False

    @property
    def width(self) -> int:
        """The number of coordinates d."""
        return len(self.encoder)

    @property
    def features(self) -> int:
        """The number of features r."""
        return len(self.decoder)

    @property
    def pca_rank(self) -> int:
        """The number of coordinates: what the data spans is not asked for."""
        return self.width

    @property
    def rotation(self) -> Float[Tensor, "d r"]:
        """The directions that features are read along: W."""
        return self.encoder

    @property
    def inverse(self) -> Float[Tensor, "r d"]:
        """The directions that features stand for: D."""
        return self.decoder

    @property
    def origin(self) -> Float[Tensor, " d"]:
        """The activations where all features are 0, which the constant feature stands for: c."""
        return self.decoder_bias

    @property
    def offset(self) -> Float[Tensor, " r"]:
        """The features of activations 0, before the activation function: b."""
        return self.encoder_bias

    def coordinates(self, activations: Float[Tensor, "n s d"]) -> Float[Tensor, "n s r"]:
        """Return f̂ = act(f W + b)."""
        before = activations @ self.encoder + self.encoder_bias
        return before.relu() if self.activation == "relu" else before

    def slopes(self, activations: Float[Tensor, "n s d"]) -> Float[Tensor, "n s r"] | None:
        """Return act'(f W + b); None for the identity, whose slope is 1."""
        if self.activation == "identity":
            return None
        return (self.coordinates(activations) > 0).to(activations.dtype)

    def only(self, which: Int[Tensor, " n"]) -> Dictionary:
        """Return the dictionary of some of the features."""
        return replace(
            self,
            encoder=self.encoder[:, which],
            encoder_bias=self.encoder_bias[which],
            decoder=self.decoder[which],
            importance=None if self.importance is None else self.importance[which],
        )

    def to(self, dtype: torch.dtype, device: torch.device = CPU) -> Dictionary:
        """Return the same dictionary in the precision of the activations, and where they are."""
        return replace(
            self,
            encoder=self.encoder.to(device, dtype),
            encoder_bias=self.encoder_bias.to(device, dtype),
            decoder=self.decoder.to(device, dtype),
            decoder_bias=self.decoder_bias.to(device, dtype),
        )


Basis = LayerBasis | RawBasis | Dictionary
"""The coordinates of a layer."""


def most_important(
    basis: Basis, top: int | None = None, min_importance: float | None = None
) -> Int[Tensor, " n"]:
    """Return the columns of a layer's most important features, ascending; all of a raw layer.

    They are the first `top` by importance, of those that have at least `min_importance` times the
    layer's largest.
    """
    if basis.importance is None:
        return torch.arange(basis.features)
    least = (min_importance or 0.0) * basis.importance.max()
    order = basis.importance.argsort(descending=True, stable=True)
    order = order[basis.importance[order] >= least]
    return order[:top].sort().values
