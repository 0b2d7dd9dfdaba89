"""A checksum of interactions that does not depend on their order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["interaction_checksum"]

Words = NDArray[np.uint64]


def interaction_checksum(
    layer_index: int | NDArray[np.integer[Any]],
    source: NDArray[np.integer[Any]],
    target: NDArray[np.integer[Any]],
    strength: NDArray[np.float64],
) -> int:
    """Return the sum, modulo 2⁶⁴, of a hash of each (layer, source, target, strength).

    `layer_index` is the source's, of all rows or of each. Any change of one bit of one strength,
    and any row that is missing, double, or at another place, changes the sum (but for one chance in
    2⁶⁴). The sums of several sections add up to that of all of them.

    >>> one, two = np.array([1]), np.array([2])
    >>> f"{interaction_checksum(0, one, two, np.array([0.5])):016x}"
    'fa56c8fc99ff0350'
    """
    layer = np.broadcast_to(layer_index, source.shape).astype(np.uint64)
    place = _mix(source.astype(np.uint64) + _mix(layer))
    rows = _mix(_mix(place + target.astype(np.uint64)) + strength.view(np.uint64))
    return int(np.add.reduce(rows, dtype=np.uint64))


def _mix(word: Words) -> Words:
    """Return words whose bits all depend on all bits of the words given (splitmix64)."""
    word = word + np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Words = word ^ (word >> np.uint64(31))
    return mixed
