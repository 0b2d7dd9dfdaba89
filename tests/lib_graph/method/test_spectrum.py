"""Laws of the basis that is chosen in spaces of equal eigenvalues."""

from itertools import pairwise

import pytest
import torch

from lib_graph.method.basis import lib_basis, pca_basis
from lib_graph.method.moments import Moments
from lib_graph.method.spectrum import canonical_turn, resolution_of, spaces_of, turned

SIZES = [(2, 1), (2, 2), (9, 2), (9, 7), (9, 9), (60, 20), (60, 59)]
ROUNDING = 2e-16


def generator(seed):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def orthogonal(d, seed=0):
    return torch.linalg.qr(normal(d, d, seed=seed))[0]


def symmetric(values, seed=0):
    """A matrix with these eigenvalues along random directions."""
    turn = orthogonal(len(values), seed)
    return turn @ torch.as_tensor(values, dtype=torch.float64).diag() @ turn.T


def rounded(matrix, seed=0):
    """The matrix with other rounding, as other threads, blocks and orders of the data give it."""
    error = normal(*matrix.shape, seed=seed)
    return matrix + (error + error.T) * ROUNDING * matrix.abs().max()


def up_to_signs(columns):
    largest = columns.abs().argmax(0, keepdim=True)
    return columns * columns.gather(0, largest).sign()


@pytest.mark.parametrize("told_apart", [False, True])
@pytest.mark.parametrize(("d", "m"), SIZES)
def test_the_basis_follows_from_the_projector_alone(d, m, told_apart):
    space, turn = orthogonal(d)[:, :m], orthogonal(m, seed=1)
    variance = symmetric(range(1, d + 1), seed=2) if told_apart else None
    found = space @ canonical_turn(space, variance)
    again = (space @ turn) @ canonical_turn(space @ turn, variance)
    assert (found @ found.T - space @ space.T).abs().max() < 1e-12
    assert (found.T @ found - torch.eye(m)).abs().max() < 1e-12
    assert (up_to_signs(found) - up_to_signs(again)).abs().max() < 1e-10


def test_each_feature_is_as_near_to_a_coordinate_as_all_can_be():
    """Of the differences of all coordinates from their mean: brute force over choices and turns."""
    d = 5
    space = torch.linalg.qr(torch.eye(d).double()[:, 1:] - 1 / d)[0]
    found = space @ canonical_turn(space)
    rows = torch.eye(d - 1).double()

    def distance(columns, left_out):
        return (columns[[i for i in range(d) if i != left_out]] - rows).square().sum()

    least = distance(found, d - 1)
    for seed in range(300):
        turn = orthogonal(d - 1, seed)
        for left_out in range(d):
            assert distance(space @ turn, left_out) > least - 1e-12
    matrix = found[:-1]
    assert torch.allclose(matrix, matrix.T, atol=1e-12)
    assert torch.allclose(matrix @ matrix, torch.eye(d - 1).double() - 1 / d, atol=1e-12)


def test_variance_tells_directions_apart_before_coordinates_do():
    space, variance = orthogonal(8)[:, :3], symmetric(range(1, 9), seed=3)
    found = space @ canonical_turn(space, variance)
    within = found.T @ variance @ found
    assert (within - within.diagonal().diag()).abs().max() < 1e-10
    assert (within.diagonal().diff() < 0).all()
    turn = orthogonal(8, seed=4)  # of the coordinates: nothing of the space itself
    elsewhere = (turn @ space) @ canonical_turn(turn @ space, turn @ variance @ turn.T)
    assert torch.allclose((turn.T @ elsewhere).abs(), found.abs(), atol=1e-10)


def test_where_no_eigenvalues_are_equal_nothing_is_touched():
    values, vectors = torch.linalg.eigh(symmetric([1.0, 0.9, 0.9 * (1 - 1e-5), 1e-3, 1e-9]))
    values, vectors = values.flip(0), vectors.flip(1)
    found = turned(values, vectors, spaces_of(values, resolution_of(torch.float64)))
    assert torch.equal(found[0], values)
    assert torch.equal(found[1], vectors)


def test_spaces_are_chains_of_neighbours():
    """Against every pair of neighbours, with gaps on both sides of the limit."""
    resolution, noise = 1e-3, 1e-6
    values = torch.rand(400, generator=generator(0), dtype=torch.float64).pow(3)
    values = values.sort(descending=True).values
    spaces = spaces_of(values, resolution, noise)
    together = {k for space in spaces for k in range(space.start, space.stop - 1)}
    assert 20 < len(together) < 380
    for k, (a, b) in enumerate(pairwise(values.tolist())):
        assert (k in together) == (a - b <= resolution * a + noise * float(values[0]))
    assert all(space.stop - space.start > 1 for space in spaces)
    assert spaces_of(values[:0], resolution) == spaces_of(values[:1], resolution) == []


@pytest.mark.parametrize("exponent", [*range(-17, 0)])
@pytest.mark.parametrize("basis", ["pca", "lib"])
def test_features_are_the_same_whatever_the_gap(basis, exponent):
    """Two eigenvalues at a relative distance from rounding up to that of different features."""
    gap, d = 10.0**exponent, 12
    spectrum = [4.0, 1.0, 1.0 * (1 - gap), 0.5, *(0.1 * 0.7**k for k in range(d - 4))]
    activations, matrix = symmetric(range(1, d + 1), seed=8), symmetric(spectrum, seed=5)
    root = symmetric([x**0.5 for x in range(1, d + 1)], seed=8)
    moment = torch.linalg.solve(root, torch.linalg.solve(root, matrix).T)
    found = []
    for seed in (6, 7):
        if basis == "pca":
            made = pca_basis(Moments(1, torch.zeros(d).double(), rounded(matrix, seed)), "x", 0.0)
        else:
            gram = Moments(1, torch.zeros(d).double(), rounded(activations, seed))
            made = lib_basis(gram, rounded(moment, seed), "x", 0.0, 0.0)
        assert made.features == d
        assert bool(made.spaces) == (exponent <= -7)
        found.append(made.rotation)
    assert (found[0] - found[1]).abs().max() < 1e-6


def equal_everywhere(d, seed):
    """A layer of uncorrelated coordinates of variances 1 to d, all with the same effect."""
    variances = torch.arange(1, d + 1).double()
    gram = Moments(1, torch.zeros(d).double(), rounded(variances.diag(), seed))
    return gram, rounded(variances.reciprocal().diag(), seed + 100)


def test_features_of_equal_effect_keep_all_laws():
    d = 7
    gram, moment = equal_everywhere(d, 0)
    basis = lib_basis(gram, moment, "x", 1e-12, 1e-12)
    assert basis.spaces == [slice(0, d)]
    assert torch.equal(basis.importance, basis.importance[:1].expand(d))
    assert torch.allclose(basis.inverse @ basis.rotation, torch.eye(d).double(), atol=1e-12)
    covariance = basis.rotation.T @ gram.covariance @ basis.rotation
    assert torch.allclose(covariance, basis.importance.diag(), atol=1e-12)
    assert torch.allclose(basis.variance(gram), basis.importance)
    assert (basis.rotation.argmax(0) == torch.arange(d).flip(0)).all()  # by variance


def test_turning_the_neurons_changes_no_feature_of_equal_effect():
    """The law of all features: what tells them apart here is the variance they stand for."""
    d, turn = 7, orthogonal(7, seed=1)
    gram, moment = equal_everywhere(d, 0)
    basis = lib_basis(gram, moment, "x", 1e-12, 1e-12)
    there = Moments(1, gram.mean, turn.T @ gram.gram @ turn)
    elsewhere = lib_basis(there, turn.T @ moment @ turn, "x", 1e-12, 1e-12)
    assert torch.allclose((turn @ elsewhere.rotation).abs(), basis.rotation.abs(), atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_equal_effects_and_equal_variances_are_told_apart_by_coordinates(seed):
    d = 6
    isotropic = Moments(1, torch.zeros(d).double(), rounded(torch.eye(d).double(), seed))
    basis = lib_basis(isotropic, rounded(torch.eye(d).double(), seed + 9), "x", 1e-12, 1e-12)
    assert torch.allclose(basis.rotation, torch.eye(d).double(), atol=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_the_sign_of_a_feature_does_not_follow_from_rounding(seed):
    """(1, −1) and (1, 1) have two entries of the same magnitude: the first is positive."""
    gram = rounded(torch.tensor([[2.0, -1.0], [-1.0, 2.0]]).double(), seed)
    rotation = pca_basis(Moments(1, torch.zeros(2).double(), gram), "x", 0.0).rotation
    assert (rotation[0] > 0).all()


@pytest.mark.parametrize("width", [8, 65])
def test_one_hot_data_have_one_basis_whatever_the_order_and_the_blocks(width):
    """The variances of a one-hot code are all equal, but for the direction in which none is."""
    rows = torch.eye(width).double()[torch.arange(40 * width) % width][:, None]
    found = []
    for block in (40 * width, 33, 100):
        parts = rows[torch.randperm(len(rows), generator=generator(block))].split(block)
        moments = Moments.of(parts[0])
        for part in parts[1:]:
            moments = moments.merge(Moments.of(part))
        there = torch.randperm(width, generator=generator(block + 1))
        permuted = Moments(moments.count, moments.mean[there], moments.gram[there][:, there])
        found += [pca_basis(moments, "x", 1e-12), pca_basis(permuted, "x", 1e-12)]
        assert found[-1].spaces == [slice(0, width - 1)]
    for basis in found:
        assert torch.allclose(basis.rotation, found[0].rotation, atol=1e-10)
        assert torch.allclose(basis.importance, torch.tensor(1 / width).double(), rtol=1e-9)
