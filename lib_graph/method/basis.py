"""The bases of a layer: LIB, PCA and neurons (docs/method.md §2 and §3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lib_graph.errors import ModelError
from lib_graph.method.identity import Identity
from lib_graph.method.moments import Moments
from lib_graph.method.spectrum import chained, first_largest, resolution_of, spaces_of, turned
from lib_graph.support.devices import CPU

__all__ = [
    "BASES",
    "RESOLUTION",
    "LayerBasis",
    "RawBasis",
    "first_apart",
    "lib_basis",
    "neuron_basis",
    "pca_basis",
]

BASES = ("lib", "pca", "neuron", "random", "global")
RESOLUTION = resolution_of(torch.float64)


@dataclass(frozen=True)
class LayerBasis:
    """Coordinates f̂ = (f − μ) C of a layer, back f ≈ f̂ C⁺ + μ, most important feature first.

    `rotation` is C (d × r), `inverse` is C⁺ (r × d), `mean` is μ (d). `importance` is Λ for LIB,
    global or not, and the variance for the others. The constant is a feature, but no column.
    """

    rotation: Float[Tensor, "d r"]
    inverse: Float[Tensor, "r d"]
    mean: Float[Tensor, " d"]
    pca_eigenvalues: Float[Tensor, " p"] | None
    importance: Float[Tensor, " r"] | None
    raw: ClassVar[bool] = False

    @property
    def width(self) -> int:
        """The number of coordinates d."""
        return len(self.rotation)

    @property
    def features(self) -> int:
        """The number of features r."""
        return len(self.inverse)

    @property
    def pca_rank(self) -> int:
        """The number of directions that the data spans above the cut."""
        return self.width if self.pca_eigenvalues is None else len(self.pca_eigenvalues)

    @property
    def origin(self) -> Float[Tensor, " d"]:
        """The activations where all features are 0, which the constant feature stands for: μ."""
        return self.mean

    @property
    def offset(self) -> Float[Tensor, " r"]:
        """The features of activations 0: −μ C."""
        return -self.mean @ self.rotation

    @property
    def spaces(self) -> list[slice]:
        """The columns of equal importance: of eigenvectors, those whose space alone is given."""
        if self.importance is None:
            return []
        return chained(self.importance[:-1] == self.importance[1:])

    def coordinates(self, activations: Float[Tensor, "n s d"]) -> Float[Tensor, "n s r"]:
        """Return f̂ = (f − μ) C."""
        return (activations - self.mean) @ self.rotation

    def amounts(self, activations: Float[Tensor, "n s d"]) -> Float[Tensor, "n s r"]:
        """Return how much of C⁺ there is in the activations: f̂."""
        return self.coordinates(activations)

    def slopes(self, activations: Float[Tensor, "n s d"]) -> None:
        """Return None: the features are linear in the activations."""

    def origin_at(self, activations: Float[Tensor, "n s d"]) -> Float[Tensor, " d"]:
        """Return `origin`: it is the same at all activations."""
        return self.origin

    def offset_at(self, activations: Float[Tensor, "n s d"]) -> Float[Tensor, " r"]:
        """Return `offset`: it is the same at all activations."""
        return self.offset

    def variance(self, moments: Moments) -> Float[Tensor, " r"]:
        """Return each feature's variance on the data of `moments`."""
        return ((moments.covariance @ self.rotation) * self.rotation).sum(0)

    def only(self, which: Int[Tensor, " n"]) -> LayerBasis:
        """Return the basis of some of the features, numbered by their columns."""
        return replace(
            self,
            rotation=self.rotation[:, which],
            inverse=self.inverse[which],
            importance=None if self.importance is None else self.importance[which],
        )

    def to(self, dtype: torch.dtype, device: torch.device = CPU) -> LayerBasis:
        """Return the same basis in the precision of the activations, and where they are."""
        return replace(
            self,
            rotation=self.rotation.to(device, dtype),
            inverse=self.inverse.to(device, dtype),
            mean=self.mean.to(device, dtype),
        )


@dataclass(frozen=True)
class RawBasis:
    """The coordinates of a layer as they are: C = identity, μ = 0, and no constant feature.

    They have no order: no importance, and all of them are the first. `like` has their precision
    and is where they are.
    """

    width: int
    like: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.float64), repr=False)
    raw: ClassVar[bool] = True
    importance: ClassVar[None] = None
    pca_eigenvalues: ClassVar[None] = None

    @property
    def features(self) -> int:
        """The number of features: that of the coordinates."""
        return self.width

    @property
    def pca_rank(self) -> int:
        """The number of coordinates: what the data spans is not asked for."""
        return self.width

    @property
    def rotation(self) -> Float[Tensor, "d d"]:
        """The identity; products with it cost nothing."""
        return cast("Tensor", Identity(self.width, self.like))

    @property
    def inverse(self) -> Float[Tensor, "d d"]:
        """The identity; products with it cost nothing."""
        return self.rotation

    @property
    def origin(self) -> Float[Tensor, " d"]:
        """The activations where all features are 0: 0."""
        return self.like.new_zeros(self.width)

    @property
    def offset(self) -> Float[Tensor, " d"]:
        """The features of activations 0: 0."""
        return self.origin

    def coordinates(self, activations: Float[Tensor, "n s d"]) -> Float[Tensor, "n s d"]:
        """Return the activations."""
        return activations

    def amounts(self, activations: Float[Tensor, "n s d"]) -> Float[Tensor, "n s d"]:
        """Return the activations."""
        return activations

    def slopes(self, activations: Float[Tensor, "n s d"]) -> None:
        """Return None: the features are linear in the activations."""

    def origin_at(self, activations: Float[Tensor, "n s d"]) -> Float[Tensor, " d"]:
        """Return `origin`: it is the same at all activations."""
        return self.origin

    def offset_at(self, activations: Float[Tensor, "n s d"]) -> Float[Tensor, " d"]:
        """Return `offset`: it is the same at all activations."""
        return self.offset

    def only(self, which: Int[Tensor, " n"]) -> RawBasis:
        """Return all of it: no output is more important than another."""
        return self

    def to(self, dtype: torch.dtype, device: torch.device = CPU) -> RawBasis:
        """Return the same in the precision of the activations, and where they are."""
        return RawBasis(self.width, self.like.to(device, dtype))


def neuron_basis(moments: Moments, layer: str, tau: float) -> LayerBasis:
    """Return the layer's own coordinates, centred; importance is each one's variance."""
    eye = torch.eye(len(moments.mean), dtype=torch.float64)
    values, _ = _spectrum(moments, layer, tau)
    return LayerBasis(eye, eye, moments.mean, values, moments.covariance.diagonal().clone())


def pca_basis(
    moments: Moments, layer: str, tau: float, resolution: float = RESOLUTION
) -> LayerBasis:
    """Return C = U, the eigenvectors of G above the cut, centred and unscaled.

    In a space of equal variances U is canonical (docs/method.md §15). Raises ModelError if the
    layer is constant on the data.

    >>> rows = torch.tensor([[[3.0, 0.0]], [[-3.0, 0.0]], [[0.0, 1.0]], [[0.0, -1.0]]])
    >>> pca_basis(Moments.of(rows), "x", 1e-12).importance.tolist()
    [4.5, 0.5]
    """
    values, vectors = _spectrum(moments, layer, tau)
    importance, vectors = turned(values, vectors, spaces_of(values, resolution))
    vectors = vectors * _signs(vectors)
    return LayerBasis(vectors, vectors.T.contiguous(), moments.mean, values, importance)


def lib_basis(
    moments: Moments,
    second_moment: Float[Tensor, "d d"],
    layer: str,
    tau_pca: float,
    tau: float,
    resolution: float = RESOLUTION,
) -> LayerBasis:
    """Return the Local Interaction Basis C = R V Λ^½, C⁺ = Λ^-½ Vᵀ R⁺.

    `second_moment` is M' (docs/method.md §3). R = U D^-½ whitens the activations, and
    R⁺ M' R⁺ᵀ = V Λ Vᵀ; directions with D or Λ up to `tau_pca` or `tau` times the largest are cut.
    In a space of equal Λ, V is canonical (§15). Raises ModelError if the layer is constant on the
    data, or if nothing of it reaches the next.
    """
    values, vectors = _spectrum(moments, layer, tau_pca)
    scale = values.sqrt()
    whitened = (scale[:, None] * vectors.T) @ second_moment @ (vectors * scale)
    effect, directions = torch.linalg.eigh((whitened + whitened.T) / 2)
    effect, order = effect.abs().sort(descending=True, stable=True)
    if not effect[0] > 0:
        raise ModelError(
            f"Layer {layer!r} has no effect on the next layer on this data: it has no features. "
            "Leave it out or use other data."
        )
    kept = effect > tau * effect[0]
    importance, directions = effect[kept], directions[:, order[kept]]
    spaces = spaces_of(importance, resolution)
    importance, directions = turned(importance, directions, spaces, vectors, moments.covariance)
    rotation = (vectors / scale) @ directions * importance.sqrt()
    signs = _signs(rotation)
    inverse = (directions / importance.sqrt() * signs).T @ (scale[:, None] * vectors.T)
    rotation = rotation * signs
    return LayerBasis(rotation, inverse, moments.mean, values, importance)


def first_apart(make: Callable[[slice], LayerBasis]) -> LayerBasis:
    """Return the basis of a layer whose first coordinate stays a feature of its own, the first.

    `make` gives the basis of some of the coordinates alone. That feature is scaled as any other,
    but it may be correlated with the others.
    """
    parts = [make(slice(0, 1)), make(slice(1, None))]

    def joined(name: str) -> Tensor | None:
        found = [getattr(part, name) for part in parts]
        return None if found[0] is None else torch.cat(found)

    return LayerBasis(
        torch.block_diag(*(part.rotation for part in parts)),
        torch.block_diag(*(part.inverse for part in parts)),
        torch.cat([part.mean for part in parts]),
        joined("pca_eigenvalues"),
        joined("importance"),
    )


def _spectrum(
    moments: Moments, layer: str, tau: float
) -> tuple[Float[Tensor, " p"], Float[Tensor, "d p"]]:
    """Return eigenvalues and eigenvectors of G above the cut, descending."""
    values, vectors = torch.linalg.eigh(moments.covariance)
    values, vectors = values.flip(0), vectors.flip(1)
    size = moments.mean.square().max() + values[0]
    if not values[0] > (1e3 * torch.finfo(torch.float64).eps) ** 2 * size:
        raise ModelError(
            f"Layer {layer!r} is the same on all of the data: it has no features. Leave it out or "
            "use other data."
        )
    kept = values > tau * values[0]
    return values[kept], vectors[:, kept]


def _signs(columns: Float[Tensor, "d r"]) -> Float[Tensor, " r"]:
    """Return the sign of each column's entry of largest magnitude, the first of equal ones."""
    largest = first_largest(columns.abs())
    return columns.gather(0, largest[None])[0].sign()
