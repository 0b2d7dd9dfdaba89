"""Any dictionary as a basis, such as that of a sparse autoencoder (docs/method.md §9)."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lib_graph.method.activation import SELECTIONS, activated, active
from lib_graph.method.basis import LayerBasis, RawBasis
from lib_graph.support.devices import CPU

__all__ = ["SCALINGS", "Basis", "Dictionary", "most_important"]

SCALINGS = ("layer_norm", "norm")
LITTLE = 1e-5  # is added to a standard deviation that is divided by


@dataclass(frozen=True)
class Dictionary:
    """Features f̂ = act(f W + b) of a layer, back f ≈ f̂ D + c; there may be more than coordinates.

    `encoder` is W (d × r), `encoder_bias` b (r), `decoder` D (r × d), `decoder_bias` c (d), and
    `activation` one of `lib_graph.method.activation`, with the `threshold` or the `k` that it
    needs. `importance` is E[f̂²] unless the file says otherwise. The constant feature stands for c:
    it is a feature, but no column.

    With a `scaling` the dictionary is one of f / σ: σ is the standard deviation of the coordinates
    at each position (`layer_norm`: columns of W sum to 0, and what is not told is the mean), or
    |f| / √d (`norm`). `part_of` are the dictionary that features were taken of where they compete,
    and their numbers there.

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
    threshold: Float[Tensor, " r"] | None = None
    k: int | None = None
    scaling: str | None = None
    part_of: tuple[Dictionary, Int[Tensor, " r"]] | None = None
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
    def linear(self) -> bool:
        """Whether the features are linear in the activations."""
        return self.activation == "identity" and self.scaling is None

    @property
    def rotation(self) -> Float[Tensor, "d r"]:
        """The directions that features are read along: W."""
        return self.encoder

    @property
    def inverse(self) -> Float[Tensor, "r d"]:
        """The directions that features stand for: D."""
        return self.decoder

    def coordinates(self, activations: Float[Tensor, "n s d"]) -> Float[Tensor, "n s r"]:
        """Return f̂ = act(f W + b), of f / σ where there is a scaling."""
        if self.part_of is not None:
            whole, which = self.part_of
            return whole.coordinates(activations)[..., which]
        before = self._before(activations)
        return activated(before, self.activation, self.threshold, self.k)

    def amounts(self, activations: Float[Tensor, "n s d"]) -> Float[Tensor, "n s r"]:
        """Return how much of D there is in the activations: f̂, times σ where there is a scaling."""
        features = self.coordinates(activations)
        return features if self.scaling is None else features * self._sigma(activations)

    def slopes(self, activations: Float[Tensor, "n s d"]) -> Float[Tensor, "n s r"] | None:
        """Return act'(f W + b), over σ where there is a scaling; None where all are 1.

        What is active is held fixed, and so is σ.
        """
        if self.part_of is not None:
            whole, which = self.part_of
            slopes = whole.slopes(activations)
            return None if slopes is None else slopes[..., which]
        if self.linear:
            return None
        before = self._before(activations)
        slopes = active(before, self.activation, self.threshold, self.k).to(before.dtype)
        return slopes if self.scaling is None else slopes / self._divisor(activations)

    def origin_at(self, activations: Float[Tensor, "n s d"]) -> Float[Tensor, "*ns d"]:
        """Return what is there when no feature is, which the constant feature stands for: c.

        With a scaling that is σ c, and the mean of the coordinates where that is subtracted.
        """
        if self.scaling is None:
            return self.decoder_bias
        origin = self._sigma(activations) * self.decoder_bias
        if self.scaling == "layer_norm":
            origin = origin + activations.mean(-1, keepdim=True)
        return origin

    def offset_at(self, activations: Float[Tensor, "n s d"]) -> Float[Tensor, "*ns r"]:
        """Return the features of activations 0, before the activation function and slopes: b."""
        if self.scaling is None:
            return self.encoder_bias
        return self._divisor(activations) * self.encoder_bias

    def _before(self, activations: Tensor) -> Tensor:
        product = activations @ self.encoder
        if self.scaling is not None:
            product = product / self._divisor(activations)
        return product + self.encoder_bias

    def _sigma(self, activations: Tensor) -> Float[Tensor, "n s 1"]:
        if self.scaling == "layer_norm":
            return activations.std(-1, keepdim=True)
        size: Tensor = torch.linalg.vector_norm(activations, dim=-1, keepdim=True)
        sigma: Tensor = size / self.width**0.5
        return sigma

    def _divisor(self, activations: Tensor) -> Float[Tensor, "n s 1"]:
        sigma = self._sigma(activations)
        return sigma + LITTLE if self.scaling == "layer_norm" else sigma

    def only(self, which: Int[Tensor, " n"]) -> Dictionary:
        """Return the dictionary of some of the features; all go on to compete, if they do."""
        part_of = None
        if self.activation in SELECTIONS:
            whole, before = self.part_of or (self, torch.arange(self.features))
            part_of = (whole, before[which])
        return replace(
            self,
            encoder=self.encoder[:, which],
            encoder_bias=self.encoder_bias[which],
            decoder=self.decoder[which],
            importance=None if self.importance is None else self.importance[which],
            threshold=None if self.threshold is None else self.threshold[which],
            part_of=part_of,
        )

    def to(self, dtype: torch.dtype, device: torch.device = CPU) -> Dictionary:
        """Return the same dictionary in the precision of the activations, and where they are."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        moved: dict[str, Any] = {
            name: value.to(device, dtype)
            for name, value in values.items()
            if isinstance(value, Tensor) and name != "importance"
        }
        if self.part_of is not None:
            whole, which = self.part_of
            moved["part_of"] = (whole.to(dtype, device), which.to(device))
        return replace(self, **moved)


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
