"""How a tensor lies beside the one that a layer is named after."""

import pytest

from lib_graph.cutting.laying_out import misfit

FITS, CAN, CANNOT = range(3)


@pytest.mark.parametrize(
    ("sizes", "samples", "own", "found"),
    [
        ("N S 3", "N", "N S 8", FITS),
        ("7 5 4", "7", "7 5 8", FITS),
        ("N 4 2 3", "N", "N 6 8", FITS),  # an image of as many pixels
        ("N 9", "N", "N 8", FITS),
        ("N S 2 3", "N", "N S 8", CAN),
        ("2 N S 3", "N", "N S 8", CAN),
        ("N 2 S 3", "N", "N S 8", CAN),
        ("N 1 1 S 3", "N", "N S 8", CAN),
        ("S N 3", "N", "N S 8", CAN),
        ("N 3 S", "N", "N S 8", CAN),
        ("7 5 5 3", "7", "7 5 8", CAN),  # positions are where they are in a text
        ("4 4 2 3", "4", "4 4 8", CAN),
        ("7 2 5 5", "7", "7 5 8", CANNOT),  # which axis is that of positions?
        ("7 7 5 3", "7", "7 5 8", CANNOT),  # and of samples?
        ("2 4 4 3", "4", "4 4 8", CANNOT),
        ("N H S S", "N", "N S 8", CANNOT),
        ("M 8", "N", "N S 8", CANNOT),
        ("N 9", "N", "N S 8", CANNOT),
        ("N S", "N", "N S 8", CANNOT),
        ("N S 3", "N", "N 8", CANNOT),
    ],
)
def test_misfit(sizes, samples, own, found):
    assert misfit(sizes.split(), own.split(), samples) == found
