"""Units that fire on the same inputs: ReLUs with the same pattern over the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lib_graph.building.accumulating import mergeable
from lib_graph.support.devices import exact
from lib_graph.support.watching import Watching

__all__ = ["Firing", "firing_of"]

RELUS = (torch.ops.aten.relu.default, torch.ops.aten.relu_.default)


@mergeable
@dataclass(frozen=True)
class Firing:
    """How often the units of one ReLU fire, each and in pairs, over `rows` inputs and positions.

    `both` is Σ m_i m_j with m = 1 where a unit is above 0, so its diagonal counts each unit alone.
    """

    rows: int
    both: Float[Tensor, "h h"]

    @classmethod
    def of(cls, fires: Bool[Tensor, "rows h"]) -> Firing:
        """Return the counts on some rows."""
        m = exact(fires)
        return cls(len(m), m.T @ m)

    def merge(self, other: Firing) -> Firing:
        """Return the counts on both sets of rows."""
        return Firing(self.rows + other.rows, self.both + other.both)

    @property
    def silent(self) -> list[int]:
        """The units that never fire."""
        return torch.nonzero(self.both.diagonal() == 0).flatten().tolist()

    def synchronised(self, share: float = 0.0) -> list[list[int]]:
        """Return groups of two or more units that fire together, silent ones left out.

        Each unit of a group differs from the group's first on at most this share of the rows.
        Groups are made in the order of the units.

        >>> fires = torch.tensor([[1, 1, 0, 0], [0, 0, 0, 1], [1, 1, 0, 1]]).bool()
        >>> Firing.of(fires).synchronised(), Firing.of(fires).synchronised(0.7)
        ([[0, 1]], [[0, 1, 3]])
        """
        alone = self.both.diagonal()
        differ = alone[:, None] + alone - 2 * self.both
        left = alone > 0
        groups = []
        for unit in range(len(alone)):
            if left[unit]:
                members = left & (differ[unit] <= share * self.rows)
                left = left & ~members
                groups.append(torch.nonzero(members).flatten().tolist())
        return [group for group in groups if len(group) > 1]


class _Watch(Watching):
    """Keeps which units are above 0 at every ReLU that runs."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in RELUS:
            self.seen.append(result > 0)
        return result


def firing_of(
    function: Callable[[], object], counted: Bool[Tensor, "n s"] | None = None
) -> list[Firing]:
    """Return the counts of every ReLU that a function runs, in order.

    The last axis is that of the units, in an image the second. `counted` marks the positions that
    count. Other activations, and a ReLU written as a maximum, are not seen.
    """
    with _Watch() as watch, torch.no_grad():
        function()
    return [Firing.of(_rows(fires, counted)) for fires in watch.seen]


def _rows(fires: Tensor, counted: Tensor | None) -> Bool[Tensor, "rows h"]:
    if fires.ndim == 4:
        fires = fires.movedim(1, -1)
    if counted is not None and fires.shape[:2] == counted.shape:
        return fires[counted].flatten(0, -2)
    return fires.flatten(0, -2)
