"""What a build can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from lib_graph.dictionaries.fitting import Wanted, wanted_of
from lib_graph.errors import NotFoundError, UsageError
from lib_graph.method.basis import BASES
from lib_graph.method.rules import Rule
from lib_graph.support import defaults

__all__ = ["LASTS", "Options"]

LASTS = ("raw", "pca")


@dataclass(frozen=True)
class Options:
    """How features and interactions are computed; docs/method.md has the mathematics.

    `basis`: lib, pca, neuron, global, or random, which follows from `seed`; or a place, or
    several, to take the features from, each PLACE or LAYER=PLACE, a file or folder in any of the
    formats of `lib_graph.dictionaries`, a run among them, and beside them one of the former for the
    layers without a place. `format`: which one, where its content cannot decide. `last`: the last
    layer as it is (raw) or in its PCA basis. `rule` and `points`: where on the path to the
    activations derivatives are taken. `dtype`: of the network; sums and eigenvectors are float64
    always. `tau_pca`, `tau_lib`: directions with an eigenvalue up to that share of the largest are
    cut. `biases`: the parameters that count as
    biases (default: those called `bias` or `b_…`). `partial`: derivatives through the named tensors
    alone, what bypasses them held fixed. `memory`: bytes that the build may take.

    Interactions: `top` takes the so many most important features of each layer alone, and
    `min_importance` those of at least that share of the layer's largest importance (raw layers are
    taken whole); `edge_samples` takes a random sample of the data; `target_error` ends their passes
    as soon as the strongest ones, which carry 99 % of the strength into each target, are
    known to that relative standard error. `tf32`: on a card, from products of 10 bits; the run
    keeps how far that moves the strengths (docs/method.md §5). `probes`: where there is no
    closed form, estimate the Jacobian's second moment from so many random directions.

    Raises UsageError if a value cannot be used.
    """

    basis: str | Path | tuple[str | Path, ...] = defaults.BASIS
    last: Literal["raw", "pca"] = defaults.LAST
    rule: str = defaults.RULE
    points: int | None = None
    dtype: Literal["float64", "float32"] = defaults.DTYPE
    tau_pca: float = defaults.TAU
    tau_lib: float = defaults.TAU
    biases: tuple[str, ...] | None = None
    partial: bool = False
    memory: int = defaults.MEMORY
    top: int | None = None
    min_importance: float | None = None
    edge_samples: int | None = None
    target_error: float | None = None
    probes: int | None = None
    tf32: bool = False
    format: str | None = None
    seed: int = defaults.SEED

    def __post_init__(self) -> None:
        self._check_basis()
        for name, value, known in (
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
        for name in ("top", "edge_samples", "probes"):
            value = getattr(self, name)
            least = 2 if name == "probes" else 1
            if value is not None and value < least:
                raise UsageError(f"{name} is {value}; it must be at least {least}.")
        if self.min_importance is not None and not 0 < self.min_importance <= 1:
            raise UsageError(
                f"min_importance is {self.min_importance}; it is a share of the largest, 0 to 1."
            )
        if self.target_error is not None and not self.target_error > 0:
            raise UsageError(f"target_error is {self.target_error}; it must be more than 0.")
        if self.tf32 and self.dtype != "float32":
            raise UsageError(
                f"tf32 is a precision of products of float32, and dtype is {self.dtype}. Leave it "
                "out, or add --dtype float32."
            )
        if self.seed != defaults.SEED and self.computed != "random":
            raise UsageError(
                f"seed is {self.seed}, and nothing but the basis random follows from it."
            )
        Rule.named(self.rule, self.points)

    @property
    def torch_dtype(self) -> torch.dtype:
        """The precision of the network."""
        return torch.float64 if self.dtype == "float64" else torch.float32

    @property
    def given(self) -> tuple[Wanted, ...]:
        """The places that bases are taken from; none where all are computed."""
        return tuple(wanted_of(each) for each in self._asked if each not in BASES)

    @property
    def computed(self) -> str | None:
        """How the bases of layers without a place are found, if that is named: one of BASES."""
        return next((str(each) for each in self._asked if each in BASES), None)

    @property
    def _asked(self) -> tuple[str | Path, ...]:
        return self.basis if isinstance(self.basis, tuple) else (self.basis,)

    def _check_basis(self) -> None:
        """Raise UsageError if there is nothing at a place, or a format without a place."""
        if not self._asked:
            raise UsageError("basis is empty. Name one.")
        words = [str(each) for each in self._asked if each in BASES]
        if len(words) > 1:
            raise UsageError(
                f"Basis {words[1]!r} is for all layers without a place, and so is {words[0]!r}. "
                "Name one of them."
            )
        if self.format is not None and not self.given:
            raise UsageError(
                f"format {self.format!r} says how to read a place, and none is given. Add --basis "
                "PLACE."
            )
        for asked in self.given:
            if not asked.place.exists():
                raise _no_basis(str(asked.place))


def _no_basis(basis: str) -> UsageError:
    advice = "Give a file or folder of bases or a run"
    if not Path(basis).suffix and Path(basis).name == basis:
        return NotFoundError("basis", basis, BASES, f"{advice}, or one of {', '.join(BASES)}.")
    return UsageError(f"There are no bases at {basis!r}. {advice}.")
