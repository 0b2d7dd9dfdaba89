"""A section whose targets each see some features only, against a loop over targets."""

import pytest
import torch

from lib_graph.analysis.ablation.masks import MaskedSection
from lib_graph.errors import UsageError
from tests.lib_graph.analysis.ablation.benches import brute, in_batches, whole_batch


@pytest.mark.slow
def test_masks_against_a_loop_over_targets(bench):
    generator = torch.Generator().manual_seed(0)
    for section in bench.network.sections:
        features = whole_batch(bench).features(section.source)
        masked = MaskedSection.of(whole_batch(bench), section, features)
        shape = features.shape[-1], bench.bases[section.target.name].features
        for share in (0.5, 0.2, 0.5, 1.0, 0.0):
            mask = torch.rand(shape, generator=generator) < share
            mask[:, :2] = mask[:, 1:2]  # two targets with one mask
            assert torch.allclose(masked(mask), brute(bench, section, features, mask), atol=1e-9)


@pytest.mark.slow
def test_all_edges_are_the_section_and_none_are_its_value_at_the_mean(bench):
    batch = whole_batch(bench)
    for section in bench.network.sections:
        features, following = batch.features(section.source), bench.bases[section.target.name]
        masked = MaskedSection.of(batch, section, features)
        mask = torch.ones(features.shape[-1], following.features, dtype=torch.bool)
        assert torch.allclose(masked(mask), batch.features(section.target), atol=1e-9)
        mean = bench.bases[section.source.name].origin.expand(*features.shape[:2], -1)
        at_mean = following.coordinates(in_batches(bench, section, mean))
        assert torch.allclose(masked(~mask), at_mean, atol=1e-9)


@pytest.mark.slow
def test_a_mask_of_the_wrong_size_is_one_line(transformer):
    section = transformer.network.sections[0]
    batch = whole_batch(transformer)
    masked = MaskedSection.of(batch, section, batch.features(section.source))
    with pytest.raises(UsageError, match=r"A mask of 2 × 3 does not fit .* they are 10 × 10"):
        masked(torch.ones(2, 3, dtype=torch.bool))
