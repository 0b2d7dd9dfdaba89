"""How much of a network a study asks about: all of it, or what a large one leaves time for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jaxtyping import Int
from torch import Tensor

from lib_graph.building.options import Options
from lib_graph.building.samples import in_random_order
from lib_graph.cutting.points import OUTPUT
from lib_graph.errors import UsageError
from lib_graph.networks import Subject
from lib_graph.support import defaults

__all__ = ["Extent"]


@dataclass(frozen=True)
class Extent:
    """How much is asked: everything, unless said otherwise.

    `layers`: the network is cut at these alone (default: at all that it names). `top`: of each
    layer the so many most important features, and no section into a layer without importances, as
    the output is; what takes the whole graph is not asked then. `edge_samples`: their strengths are
    of so many samples (default: of all). `dtype` is the precision of the network.

    Raises UsageError for values that give no answer, NotFoundError for another `dtype`.
    """

    layers: tuple[str, ...] | None = None
    top: int | None = None
    edge_samples: int | None = None
    dtype: Literal["float64", "float32"] = defaults.DTYPE

    def __post_init__(self) -> None:
        for name in ("top", "edge_samples"):
            value = getattr(self, name)
            if value is not None and value < 2:
                raise UsageError(f"{name} is {value}; sparsity and its errors take at least 2.")
        if self.edge_samples is not None and self.top is None:
            raise UsageError(
                f"edge_samples is {self.edge_samples}, but where all features are asked about, "
                "strengths are of all samples. Add --top, or leave --edge-samples out."
            )
        self.options()

    @property
    def whole(self) -> bool:
        """Whether all features are asked about, and with them what takes the whole graph."""
        return self.top is None

    def options(self, basis: str | Path = defaults.BASIS, seed: int = defaults.SEED) -> Options:
        """Return what a run in a basis is built with. Raises what `Options` does."""
        return Options(
            basis=basis, seed=seed, dtype=self.dtype, top=self.top, edge_samples=self.edge_samples
        )

    def chosen(self, subject: Subject) -> Int[Tensor, " n"] | None:
        """Return the samples, by number, that strengths are of; None for all, in their order."""
        if self.edge_samples is None:
            return None
        return in_random_order(len(subject.inputs[0]))[: self.edge_samples]

    def samples(self, subject: Subject) -> int:
        """Return how many samples strengths are of."""
        chosen = self.chosen(subject)
        return len(subject.inputs[0]) if chosen is None else len(chosen)

    def cut(self, subject: Subject) -> Subject:
        """Return a network with the layers that are asked about.

        Raises what `with_layers` does, and UsageError for layers that leave no section to look at,
        or for edges required without an output to score.
        """
        if self.layers is not None:
            subject = subject.with_layers(self.layers)
        names, points = [*subject.layers], [*subject.layers.values()]
        if self.top is not None and len(names) < 3:
            raise UsageError(
                f"The layers {', '.join(names)} are too few: --top leaves out what leads into the "
                "last of them. Name at least 3."
            )
        if self.top is None and points[-1] != OUTPUT:
            raise UsageError(
                f"The last layer is {names[-1]!r}, and edges required are scored on the output of "
                "the network. Add output to --layers, or --top."
            )
        return subject
