import pytest
import torch

from lib_graph.building.options import Options
from lib_graph.dictionaries.bases_file import read_bases, write_bases
from lib_graph.errors import ModelError
from lib_graph.method.basis import RawBasis, lib_basis, neuron_basis, pca_basis
from lib_graph.method.moments import Moments
from lib_graph.method.random_basis import random_basis, random_turn

torch.manual_seed(1)
D = 6
MIX = torch.randn(D, D, dtype=torch.float64)
ROWS = torch.randn(50, 2, D, dtype=torch.float64) @ MIX + torch.arange(D)
EFFECT = torch.randn(D, D, dtype=torch.float64)
M = EFFECT @ EFFECT.T
MOMENTS = Moments.of(ROWS)
BASES = {
    "lib": lib_basis(MOMENTS, M, "x", 1e-12, 1e-12),
    "pca": pca_basis(MOMENTS, "x", 1e-12),
    "neuron": neuron_basis(MOMENTS, "x", 1e-12),
    "random": random_basis(MOMENTS, "x", 1e-12, 0),
}


@pytest.mark.parametrize("basis", BASES.values(), ids=BASES)
def test_rotation_then_inverse_is_the_identity(basis):
    assert torch.allclose(basis.inverse @ basis.rotation, torch.eye(D).double(), atol=1e-10)
    back = basis.coordinates(ROWS) @ basis.inverse + basis.mean
    assert torch.allclose(back, ROWS, atol=1e-10)


@pytest.mark.parametrize("name", ["lib", "pca"])
def test_features_are_uncorrelated_and_variance_is_importance(name):
    basis = BASES[name]
    covariance = Moments.of(basis.coordinates(ROWS)).covariance
    assert torch.allclose(covariance, basis.importance.diag(), atol=1e-9 * basis.importance[0])
    assert (basis.importance.diff() < 0).all()
    assert torch.allclose(basis.variance(MOMENTS), basis.importance)


def test_lib_importance_is_the_effect_of_a_move_of_unit_variance():
    """Λ_k = c_k M' c_kᵀ for the move c_k along feature k that has unit variance in f."""
    basis = BASES["lib"]
    for k, importance in enumerate(basis.importance):
        move = basis.inverse[k] * importance.sqrt()
        assert move @ M @ move == pytest.approx(float(importance))


def test_neuron_importance_is_variance():
    variance = ROWS.flatten(0, 1).var(0, correction=0)
    assert torch.allclose(BASES["neuron"].importance, variance)


def test_cuts_count_the_directions_that_are_there():
    flat = ROWS.clone()
    flat[..., 4:] = flat[..., :2] * 3  # four directions are left
    two = torch.diag(torch.tensor([1.0, 1, 0, 0, 0, 0])).double()
    narrow = two @ M @ two
    basis = lib_basis(Moments.of(flat), narrow, "x", 1e-12, 1e-12)
    assert basis.pca_rank == 4
    assert basis.features == 2
    assert pca_basis(Moments.of(flat), "x", 1e-12).features == 4


def test_what_rounding_to_float32_adds_is_no_direction_by_default():
    """Of 256 directions 64 are there: 1e-15 takes most of the others for some, 1e-12 none."""
    generator = torch.Generator().manual_seed(0)
    rows, mix = (torch.randn(*shape, generator=generator) for shape in ((4000, 64), (64, 256)))
    moments = Moments.of((rows @ mix)[:, None])
    assert pca_basis(moments, "x", Options().tau_pca).features == 64
    assert pca_basis(moments, "x", 1e-15).features > 150


@pytest.mark.parametrize("turn", ["permutation", "rotation"])
def test_turning_the_neurons_changes_no_feature(turn):
    matrix = torch.eye(D).double()[torch.randperm(D)]
    if turn == "rotation":
        matrix = torch.linalg.qr(MIX)[0]
    turned = lib_basis(Moments.of(ROWS @ matrix), matrix.T @ M @ matrix, "x", 1e-12, 1e-12)
    assert torch.allclose(turned.importance, BASES["lib"].importance)
    found, expected = turned.coordinates(ROWS @ matrix), BASES["lib"].coordinates(ROWS)
    assert torch.allclose(found.abs(), expected.abs(), atol=1e-9)


def test_signs_are_fixed():
    for name in ("lib", "pca"):
        rotation = BASES[name].rotation
        assert (rotation.gather(0, rotation.abs().argmax(0, keepdim=True)) > 0).all()


@pytest.mark.parametrize("value", [0.0, 0.1, 1e8])
def test_a_constant_layer_is_named(value):
    rows = torch.full((40, 3, D), value, dtype=torch.float64)
    for compute in (
        lambda m: pca_basis(m, "x", 1e-12),
        lambda m: neuron_basis(m, "x", 1e-12),
        lambda m: lib_basis(m, M, "x", 1e-12, 1e-12),
    ):
        with pytest.raises(ModelError, match="'x' is the same"):
            compute(Moments.of(rows[:30]).merge(Moments.of(rows[30:])))


def test_a_layer_without_effect_is_named():
    with pytest.raises(ModelError, match="'x' has no effect"):
        lib_basis(MOMENTS, torch.zeros(D, D).double(), "x", 1e-12, 1e-12)


def test_a_raw_layer_is_left_as_it_is():
    basis = RawBasis(D)
    assert torch.equal(basis.coordinates(ROWS), ROWS)
    assert basis.raw
    assert basis.importance is None


def test_a_bases_file_gives_back_what_was_written(tmp_path):
    file = tmp_path / "bases.safetensors"
    write_bases(file, {**BASES, "raw": RawBasis(3)}, {"from": "here"})
    found = read_bases(file)
    assert sorted(found) == sorted(BASES)
    for name, basis in BASES.items():
        for part in ("rotation", "inverse", "mean", "pca_eigenvalues", "importance"):
            assert torch.equal(getattr(found[name], part), getattr(basis, part)), part
        assert found[name].pca_rank == basis.pca_rank


def test_the_random_basis_turns_the_whitened_space():
    """C⁺ᵀ C⁺ = G, as for any turn of R, and another seed or layer gives another turn."""
    basis = BASES["random"]
    assert torch.allclose(basis.inverse.T @ basis.inverse, MOMENTS.covariance)
    assert torch.allclose(Moments.of(basis.coordinates(ROWS)).covariance, torch.eye(D).double())
    lib = BASES["lib"]
    turn = lib.importance.rsqrt()[:, None] * (lib.rotation.T @ basis.inverse.T)
    assert torch.allclose(turn @ turn.T, torch.eye(D).double())  # Vᵀ Q
    for other in (random_basis(MOMENTS, "x", 1e-12, 1), random_basis(MOMENTS, "y", 1e-12, 0)):
        assert not torch.allclose(other.rotation, basis.rotation, atol=0.1)
    assert torch.equal(random_basis(MOMENTS, "x", 1e-12, 0).rotation, basis.rotation)


def test_random_turns_prefer_no_direction():
    """Of Haar's distribution an entry has the mean 0 and the mean square 1/d."""
    turns = torch.stack([random_turn(4, str(n)) for n in range(2000)])
    assert torch.allclose(turns.mean(0), torch.zeros(4, 4).double(), atol=0.05)
    assert torch.allclose(turns.square().mean(0), torch.full((4, 4), 0.25).double(), atol=0.025)
