import weakref

import pytest
import torch

from lib_graph.method.moments import InteractionMoments, Moments, Spread

torch.manual_seed(0)
ROWS = torch.randn(20, 3, 4, dtype=torch.float64) * 1e-3 + 1e3
ATTRIBUTIONS = torch.randn(5, 20, 3, 4, dtype=torch.float64) + 2


def merged(parts):
    first, *rest = parts
    for part in rest:
        first = first.merge(part)
    return first


def test_moments_are_mean_and_covariance_over_samples_and_positions():
    moments = Moments.of(ROWS)
    rows = ROWS.flatten(0, 1)
    assert torch.allclose(moments.mean, rows.mean(0), rtol=1e-14)
    assert torch.allclose(moments.covariance, torch.cov(rows.T, correction=0), rtol=1e-9)


def test_moments_do_not_depend_on_batches_or_order():
    whole = Moments.of(ROWS)
    order = torch.randperm(20)
    for sizes in ([20], [1] * 20, [7, 12, 1]):
        parts = merged([Moments.of(part) for part in ROWS[order].split(sizes)])
        assert parts.count == 60
        assert (parts.mean - whole.mean).norm() < 1e-10 * whole.mean.norm()
        assert (parts.gram - whole.gram).norm() < 1e-10 * whole.gram.norm()


def test_spread_is_mean_and_variance_of_the_positions_that_count():
    counted = torch.rand(20, 3) < 0.5
    rows = ROWS[counted]
    for sizes in ([20], [7, 12, 1]):
        parts = zip(ROWS.split(sizes), counted.split(sizes), strict=True)
        spread = merged([Spread.of(x, mask) for x, mask in parts])
        assert spread.count == int(counted.sum())
        assert torch.allclose(spread.variance, rows.var(0, correction=0), rtol=1e-9)
        assert torch.allclose(spread.mean_square, rows.square().mean(0), rtol=1e-14)


@pytest.mark.parametrize("kind", [Moments, Spread])
def test_a_batch_in_which_nothing_counts_adds_nothing(kind):
    f = torch.randn(6, 2, 3, dtype=torch.float64)
    counted = torch.tensor([[False, False]] * 3 + [[True, False], [True, True], [False, False]])
    whole = kind.of(f, counted)
    found = merged([kind.of(f[i : i + 1], counted[i : i + 1]) for i in range(6)])
    assert found.count == whole.count == 3
    assert torch.allclose(found.mean, whole.mean)
    assert torch.allclose(found.variance, whole.variance)


def test_interaction_moments_are_means_over_samples():
    moments = InteractionMoments.of(ATTRIBUTIONS, 60)
    per_sample = ATTRIBUTIONS.square().sum(2) / 3
    assert torch.allclose(moments.strength, per_sample.mean(1))
    assert torch.allclose(moments.stderr, per_sample.std(1, correction=1) / 20**0.5)
    assert torch.allclose(moments.effect, ATTRIBUTIONS.sum(2).mean(1) / 3)


def test_interaction_moments_do_not_depend_on_batches():
    whole = InteractionMoments.of(ATTRIBUTIONS, 60)
    for sizes in ([1] * 20, [7, 12, 1]):
        parts = [
            InteractionMoments.of(part, 3 * part.shape[1]) for part in ATTRIBUTIONS.split(sizes, 1)
        ]
        found = merged(parts)
        assert torch.allclose(found.strength, whole.strength, rtol=1e-13)
        assert torch.allclose(found.stderr, whole.stderr, rtol=1e-12)
        assert torch.allclose(found.effect, whole.effect, rtol=1e-13)


def test_one_sample_has_no_standard_error():
    assert InteractionMoments.of(ATTRIBUTIONS[:, :1], 3).stderr.isnan().all()


@pytest.mark.parametrize("axis", [0, 1])
def test_moments_of_some_pairs_each_fill_those_of_all_and_none_is_held(axis):
    attributions = torch.randn(5, 7, 3, 5, dtype=torch.float64)
    whole = InteractionMoments.of(attributions, 21)
    before = []

    def parts():
        for some in torch.arange(5).split(2):
            assert all(part() is None for part in before)
            part = InteractionMoments.of(attributions.index_select(-axis, some), 21)
            before.append(weakref.ref(part.square))
            yield part
            del part

    found = InteractionMoments.filled((5, 5), parts(), axis)
    assert (found.count, found.positions) == (whole.count, whole.positions)
    for name in ("square", "deviation", "signed"):
        torch.testing.assert_close(getattr(found, name), getattr(whole, name))
