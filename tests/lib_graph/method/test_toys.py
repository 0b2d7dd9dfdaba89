"""LIB finds the truth where it is known."""

import numpy as np
import pytest
import torch

from lib_graph.building.build import build
from lib_graph.dictionaries.bases_file import read_bases
from tests.lib_graph.toys import WIDTH, blocks, product_inputs, ranked


def across(toy, out):
    """The largest strength between the blocks, and how much of a feature lies outside its own.

    The first is relative to the largest of its section.
    """
    run = build(toy.subject, out)
    bases = read_bases(out / "bases.safetensors")
    block, stray = {"out": np.repeat([0, 1], WIDTH)}, 0.0
    for name, basis in bases.items():
        power = (toy.turns[name] @ basis.rotation).square()
        power = power / power.sum(0)
        in_first = power[:WIDTH].sum(0)
        stray = max(stray, float(torch.minimum(in_first, 1 - in_first).max()))
        block[name] = np.r_[-1, (in_first < 0.5).int().numpy()]
        assert basis.features == 2 * WIDTH
        assert (in_first > 0.5).sum() == WIDTH
    worst = 0.0
    for rows in run.sections():
        source, target = rows.source_layer.iloc[0], rows.target_layer.iloc[0]
        rows = rows[rows.source > 0]
        other = block[source][rows.source] != block[target][rows.target]
        if other.any():
            worst = max(worst, rows.strength[other].max() / rows.strength.max())
        assert (rows.strength[~other] > 1e-12 * rows.strength.max()).any()
    return worst, stray


@pytest.mark.slow
def test_blocks_are_found_on_the_full_product_of_their_inputs(tmp_path):
    strength, stray = across(blocks(product_inputs(30)), tmp_path)
    assert strength < 1e-15
    assert stray < 1e-12


@pytest.mark.slow
def test_on_random_samples_a_little_leaks(tmp_path):
    """Blocks that are independent are not quite uncorrelated on a sample."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(10_000, 2 * WIDTH, generator=generator, dtype=torch.float64)
    strength, stray = across(blocks(x), tmp_path)
    assert 1e-12 < strength < 1e-2
    assert 1e-9 < stray < 0.1


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("ranks", "spans", "found"),
    [
        ((4, 3), 6, [(6, 3), (4, 3)]),
        ((4, 3), 2, [(2, 2), (2, 2)]),
        ((1, 4), 5, [(5, 1), (1, 1)]),
    ],
)
def test_a_linear_network_has_exactly_its_ranks(tmp_path, seed, ranks, spans, found):
    """Of what the data span, a layer keeps what the maps after it read."""
    layers = build(ranked(ranks, spans, seed), tmp_path).layers
    assert [(layer.pca_rank, layer.features) for layer in layers[:2]] == found
