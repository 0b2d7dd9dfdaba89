"""Sparse autoencoders: known atoms are found, and what is said of a dictionary is so."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lib_graph.errors import UsageError
from lib_graph.networks.training.dictionary import DictionaryRecipe, Learned, learn

WIDTH, ATOMS, ACTIVE = 8, 16, 2
RECIPE = DictionaryRecipe(expansion=2, k=ACTIVE, steps=800, batch_size=256)


def sparse(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return atoms, and sums of ACTIVE of them at a time around a mean that is not 0."""
    atoms = torch.randn(ATOMS, WIDTH, generator=torch.Generator().manual_seed(0))
    atoms /= atoms.norm(dim=1, keepdim=True)
    generator = torch.Generator().manual_seed(seed)
    which = torch.rand(count, ATOMS, generator=generator).argsort(1)[:, :ACTIVE]
    amounts = 5 * (1 + torch.rand(count, ACTIVE, generator=generator))
    mean = 3 * torch.ones(WIDTH)
    return atoms, torch.einsum("na,nad->nd", amounts, atoms[which]) + mean


@pytest.fixture(scope="module")
def data() -> tuple[Tensor, Tensor, Tensor]:
    atoms, train = sparse(6000, 1)
    return atoms, train, sparse(500, 2)[1]


@pytest.fixture(scope="module")
def learned(data: tuple[Tensor, Tensor, Tensor]) -> Learned:
    return learn(*data[1:], RECIPE)


@pytest.mark.slow
def test_known_atoms_are_found(data, learned):
    atoms, _, _ = data
    rows = learned.dictionary.decoder.float()
    assert torch.allclose(rows.norm(dim=1), torch.ones(ATOMS), atol=1e-5)
    cosines = (atoms @ rows.T).max(1).values
    assert (cosines > 0.9).float().mean() >= 0.9, cosines


@pytest.mark.slow
def test_it_explains_more_than_as_many_components_of_pca(data, learned):
    _, train, held_out = data
    mean = train.mean(0)
    components = torch.linalg.svd(train - mean, full_matrices=False).Vh[:ACTIVE]
    centred = held_out - mean
    left = (centred - centred @ components.T @ components).square().sum()
    pca = 1 - float(left / centred.square().sum())
    assert learned.explained > 0.85 > pca + 0.2


@pytest.mark.slow
def test_what_is_said_is_what_brute_force_finds(data, learned):
    *_, held_out = data
    d = learned.dictionary
    rest, active, alive = 0.0, 0, set()
    for f in held_out.double():
        before = [float(f @ d.encoder[:, j] + d.encoder_bias[j]) for j in range(ATOMS)]
        largest = sorted(range(ATOMS), key=lambda j: -before[j])[:ACTIVE]
        features = {j: before[j] for j in largest if before[j] > 0}
        told = d.decoder_bias + sum(x * d.decoder[j] for j, x in features.items())
        rest += float((f - told).square().sum())
        active += len(features)
        alive |= features.keys()
    whole = float((held_out.double() - held_out.double().mean(0)).square().sum())
    assert learned.explained == pytest.approx(1 - rest / whole, abs=1e-9)
    assert learned.active == active / len(held_out)
    assert learned.dead <= ATOMS - len(alive)


def test_features_that_nothing_needs_are_counted_as_dead():
    line = torch.linspace(1, 2, 400)[:, None] * torch.tensor([1.0, 2.0, 2.0])
    found = learn(line, line[::7], DictionaryRecipe(expansion=4, k=1, steps=20, batch_size=100))
    active = found.dictionary.coordinates(line.double()) > 0
    assert found.dead == int((~active.any(0)).sum()) > 0


def test_a_seed_gives_the_same_bits_and_another_others(data):
    _, train, held_out = data
    short = {"expansion": 2, "k": 2, "steps": 15}
    one, two = (learn(train, held_out, DictionaryRecipe(**short)).dictionary for _ in range(2))
    other = learn(train, held_out, DictionaryRecipe(**short, seed=1)).dictionary
    for part in ("encoder", "encoder_bias", "decoder", "decoder_bias"):
        assert torch.equal(getattr(one, part), getattr(two, part))
    assert not torch.equal(one.decoder, other.decoder)


@pytest.mark.parametrize("name", ["expansion", "k", "steps", "batch_size", "learning_rate"])
def test_a_recipe_of_nothing_is_refused(name):
    with pytest.raises(UsageError, match=f"{name} is 0; it must be more than 0"):
        DictionaryRecipe(**{name: 0})


def test_a_seed_has_to_be_one():
    with pytest.raises(UsageError, match="seed is -1"):
        DictionaryRecipe(seed=-1)


def test_what_cannot_be_trained_is_refused(data):
    _, train, held_out = data
    with pytest.raises(UsageError, match=r"k is 17, .* 'here' has 16 features \(2 × 8 coord"):
        learn(train, held_out, DictionaryRecipe(expansion=2, k=17), name="here")
    same = train[:1].expand(100, -1)
    with pytest.raises(UsageError, match="activations of layer 'here' do not vary"):
        learn(same, same, DictionaryRecipe(expansion=2, k=2), name="here")
