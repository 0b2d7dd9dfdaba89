"""What a build can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from lib_graph.basis import BASES
from lib_graph.errors import NotFoundError, UsageError
from lib_graph.rules import Rule

__all__ = ["LASTS", "Options"]

LASTS = ("raw", "pca")


@dataclass(frozen=True)
class Options:
    """How features and interactions are computed; docs/method.md has the mathematics.

    `basis`: lib, pca, neuron or global. `last`: the last layer as it is (raw) or in its PCA basis.
    `rule` and `points`: where on the path to the activations derivatives are taken. `dtype`: of the
    network; sums and eigenvectors are float64 always. `tau_pca`, `tau_lib`: directions with an
    eigenvalue up to that share of the largest are cut. `biases`: the parameters that count as
    biases (default: those called `bias` or `b_…`). `partial`: derivatives through the named tensors
    alone, what bypasses them held fixed. `bases`: a bases file or run folder to use
    instead of computing a basis. `memory`: bytes that the build may take.

    Raises UsageError if a value cannot be used.
    """

    basis: str = "lib"
    last: Literal["raw", "pca"] = "raw"
    rule: str = "gradient"
    points: int | None = None
    dtype: Literal["float64", "float32"] = "float64"
    tau_pca: float = 1e-12
    tau_lib: float = 1e-12
    biases: tuple[str, ...] | None = None
    partial: bool = False
    bases: Path | None = None
    memory: int = 4 << 30

    def __post_init__(self) -> None:
        for name, value, known in (
            ("basis", self.basis, BASES),
            ("last", self.last, LASTS),
            ("dtype", self.dtype, ("float64", "float32")),
        ):
            if value not in known:
                raise NotFoundError(name, str(value), known, f"Choose one of {', '.join(known)}.")
        for name, tau in (("tau_pca", self.tau_pca), ("tau_lib", self.tau_lib)):
            if not 0 <= tau < 1:
                raise UsageError(
                    f"{name} is {tau}; it is a share of the largest eigenvalue, 0 to 1."
                )
        Rule.named(self.rule, self.points)

    @property
    def torch_dtype(self) -> torch.dtype:
        """The precision of the network."""
        return torch.float64 if self.dtype == "float64" else torch.float32

    @property
    def bases_file(self) -> Path | None:
        """The file of the given bases, if any."""
        if self.bases is not None and self.bases.is_dir():
            return self.bases / "bases.safetensors"
        return self.bases
