"""The labels of modular addition against waves that are known."""

import numpy as np
import pytest
import torch

from lib_graph.data.labelling import FourierLabeller, all_triples


def wave(p, row_frequency, column_frequency, phase=0.0):
    a, b = all_triples(p)[:, :2].T
    turns = (row_frequency * a + column_frequency * b).double() / p
    return torch.cos(2 * torch.pi * turns + phase)


def features(*columns):
    """Features at one position."""
    return torch.stack(columns, -1)[:, None]


@pytest.mark.parametrize("p", [5, 8, 13])
@pytest.mark.parametrize("terms", [(1, 0), (0, 1), (1, 1), (1, -1)])
def test_a_wave_in_frequencies_0_and_k_is_pure(p, terms):
    for k in range(1, p // 2 + 1):
        (label,) = FourierLabeller(p)(features(wave(p, k * terms[0], k * terms[1], phase=0.3)))
        assert label.text == f"k={k}"
        assert label.score == pytest.approx(1)


def test_the_score_is_the_share_of_the_variance_whatever_the_mean():
    mixed = 3 * wave(13, 2, 2) + 1 * wave(13, 5, 0) + 100
    (label,) = FourierLabeller(13)(features(mixed))
    assert label.text == "k=2"
    assert label.score == pytest.approx(9 / 10)


def test_a_wave_of_two_different_frequencies_counts_for_neither():
    mixed = wave(13, 1, 4) + 0.1 * wave(13, 3, 0)
    (label,) = FourierLabeller(13)(features(mixed))
    assert label.text == "k=3"
    assert label.score == pytest.approx(0.01 / 1.01)


def test_power_is_summed_over_positions_each_without_its_mean():
    varying = torch.stack([wave(7, 1, 0) + 5, 2 * wave(7, 3, 3) - 5], 1)[..., None]
    (label,) = FourierLabeller(7)(varying)
    assert label.text == "k=3"
    assert label.score == pytest.approx(4 / 5)


def brute_force(values, p):
    """The share in frequencies {0, ±k} for the best k, by explicit discrete Fourier sums."""
    grid = values.reshape(p, p)
    numbers = np.arange(p)
    power = {}
    for u in range(p):
        for v in range(p):
            angles = np.exp(-2j * np.pi * (u * numbers[:, None] + v * numbers) / p)
            power[u, v] = abs((grid * angles).sum()) ** 2
    del power[0, 0]
    shares = {
        k: sum(w for uv, w in power.items() if set(uv) <= {0, k, p - k}) / sum(power.values())
        for k in range(1, p // 2 + 1)
    }
    best = max(shares, key=shares.get)
    return f"k={best}", shares[best]


@pytest.mark.parametrize("p", [2, 6, 7])
def test_labels_equal_a_brute_force_transform(p):
    values = torch.randn(p * p, 4, generator=torch.Generator().manual_seed(0)).double()
    for label, column in zip(FourierLabeller(p)(values[:, None]), values.T, strict=True):
        text, score = brute_force(column.numpy(), p)
        assert label.text == text
        assert label.score == pytest.approx(score)


def test_sign_and_scale_do_not_matter():
    values = torch.randn(49, 2, 3, generator=torch.Generator().manual_seed(1)).double()
    labeller = FourierLabeller(7)
    for one, other in zip(labeller(values), labeller(-1e-5 * values), strict=True):
        assert one.text == other.text
        assert one.score == pytest.approx(other.score)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_constant_feature_has_no_label(dtype):
    constant = torch.full((49,), 1 / 3, dtype=dtype)
    rounding = constant * (1 + torch.finfo(dtype).eps * (torch.arange(49) % 2)).to(dtype)
    assert FourierLabeller(7)(features(constant, rounding, 0 * constant)) == [None] * 3
