"""Laws of the checksum of interactions."""

from __future__ import annotations

import numpy as np
import pytest

from ingest.checksum import interaction_checksum

RNG = np.random.default_rng(0)
SOURCE, TARGET = (RNG.integers(0, 50, 200).astype(np.int32) for _ in range(2))
STRENGTH = RNG.lognormal(0, 5, 200)
WHOLE = interaction_checksum(3, SOURCE, TARGET, STRENGTH)


def test_the_order_does_not_matter() -> None:
    order = RNG.permutation(200)
    assert interaction_checksum(3, SOURCE[order], TARGET[order], STRENGTH[order]) == WHOLE


def test_the_width_of_integers_does_not_matter() -> None:
    assert interaction_checksum(3, SOURCE.astype(np.int64), TARGET, STRENGTH) == WHOLE


def test_parts_add_up() -> None:
    parts = [
        interaction_checksum(3, SOURCE[s], TARGET[s], STRENGTH[s])
        for s in (slice(70), slice(70, None))
    ]
    assert sum(parts) % 2**64 == WHOLE
    nothing = np.zeros(0, np.int32)
    assert interaction_checksum(3, nothing, nothing, np.zeros(0)) == 0


@pytest.mark.parametrize("bit", range(64))
def test_one_bit_of_one_strength_matters(bit: int) -> None:
    changed = STRENGTH.copy()
    changed.view(np.uint64)[17] ^= np.uint64(1) << np.uint64(bit)
    assert interaction_checksum(3, SOURCE, TARGET, changed) != WHOLE


def test_places_matter() -> None:
    assert interaction_checksum(4, SOURCE, TARGET, STRENGTH) != WHOLE
    assert interaction_checksum(3, TARGET, SOURCE, STRENGTH) != WHOLE
    for moved in ([1, 0], [0, 1]):
        places = np.stack([SOURCE, TARGET])
        places[:, 17] += moved
        assert interaction_checksum(3, *places, STRENGTH) != WHOLE
    swapped = STRENGTH.copy()
    swapped[[0, 1]] = swapped[[1, 0]]
    assert interaction_checksum(3, SOURCE, TARGET, swapped) != WHOLE


def test_a_row_that_is_missing_or_double_matters() -> None:
    assert interaction_checksum(3, SOURCE[1:], TARGET[1:], STRENGTH[1:]) != WHOLE
    twice = np.append(np.arange(200), 5)
    assert interaction_checksum(3, SOURCE[twice], TARGET[twice], STRENGTH[twice]) != WHOLE
