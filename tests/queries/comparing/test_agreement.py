"""How well modules agree with parts, against all ways of dealing the parts out."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from queries.comparing.agreement import SHUFFLES, agreement_rows
from queries.modules.partitions import adjusted_rand_index, shuffled_agreement

MODULES = np.array([0, 0, 1, 1, 2, 2, 2])
PARTS = np.array([0, 0, 1, 2, 3, 3, 2])
LAYERS = np.array([0, 1, 0, 0, 1, 1, 1])


def by_hand():
    """The agreement of every way to deal parts out within the two layers."""
    found = []
    for first in permutations(PARTS[LAYERS == 0]):
        for second in permutations(PARTS[LAYERS == 1]):
            dealt = np.empty_like(PARTS)
            dealt[LAYERS == 0], dealt[LAYERS == 1] = first, second
            found.append(adjusted_rand_index(MODULES, dealt))
    return np.array(found)


def test_parts_are_dealt_out_in_all_ways_alike():
    every, found = by_hand(), shuffled_agreement(MODULES, PARTS, LAYERS, 4000, 0)
    assert set(found.round(9)) == set(every.round(9))
    assert found.mean() == pytest.approx(every.mean(), abs=5 * every.std() / 4000**0.5)
    assert found.std() == pytest.approx(every.std(), rel=0.1)


def test_each_structure_has_a_row_of_the_features_that_are_in_modules():
    names = np.array(["x", "y"])[LAYERS]
    modules = pd.DataFrame({"layer": names, "index": range(7), "community": MODULES})
    parts = pd.DataFrame({"structure": "heads", "layer": names, "attention": "x",
                          "index": range(7), "part": PARTS})  # fmt: skip
    other = pd.DataFrame({"structure": "positions", "layer": ["y", "z"], "attention": "",
                          "index": [1, 0], "part": [4, 4]})  # fmt: skip
    heads, positions = agreement_rows(modules, pd.concat([parts, other]), 0).to_dict("records")
    assert heads["ari"] == pytest.approx(adjusted_rand_index(MODULES, PARTS))
    every = by_hand()
    assert heads["shuffled_mean"] == pytest.approx(every.mean(), abs=5 * every.std() / 200**0.5)
    dealt = shuffled_agreement(MODULES, PARTS, LAYERS, SHUFFLES, 0)
    assert heads["shuffled_sd"] == pytest.approx(dealt.std(ddof=1), rel=1e-9)
    assert heads["features"] == 7
    assert (positions["structure"], positions["features"]) == ("positions", 1)


def test_heads_of_the_attentions_around_a_layer_are_dealt_out_each_among_themselves():
    modules = pd.DataFrame({"layer": "y", "index": [0, 1], "community": [0, 1]})
    parts = pd.DataFrame({"structure": "heads", "layer": "y", "attention": ["x", "x", "y", "y"],
                          "index": [0, 1, 0, 1], "part": [0, 0, 0, 1]})  # fmt: skip
    (row,) = agreement_rows(modules, parts, 0).to_dict("records")
    assert row["shuffled_mean"] == pytest.approx(row["ari"])  # both ways to deal agree as much
    assert row["shuffled_sd"] == pytest.approx(0, abs=1e-12)


def test_the_same_head_of_another_attention_is_another_part():
    modules = pd.DataFrame({"layer": ["x", "x", "y", "y"], "index": [0, 1, 0, 1],
                            "community": [0, 1, 2, 3]})  # fmt: skip
    parts = pd.DataFrame({"structure": "heads", "layer": ["x", "x", "y", "y"],
                          "attention": ["x", "x", "y", "y"], "index": [0, 1, 0, 1],
                          "part": [0, 1, 0, 1]})  # fmt: skip
    (row,) = agreement_rows(modules, parts, 0).to_dict("records")
    assert row["ari"] == 1
