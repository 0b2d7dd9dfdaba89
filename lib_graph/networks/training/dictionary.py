"""Training of a top-k sparse autoencoder on the activations of a layer (docs/method.md §9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lib_graph.errors import UsageError
from lib_graph.method.dictionary import Dictionary
from lib_graph.networks.training.common import endless_batches, one_thread
from lib_graph.support import defaults
from lib_graph.support.progress import USUAL, Progress

__all__ = ["DictionaryRecipe", "Learned", "learn"]

CHUNK = 8192  # positions that features are looked at of at once
QUIET = 100  # steps after which a feature that was never active counts as dead
REVIVAL = 1 / 32  # weight of what dead features make of the rest
COOLING = 0.3  # share of the steps, at the end, in which the learning rate falls to 0
CONSTANT = 1e-6  # standard deviation over size of activations that do not vary


@dataclass(frozen=True)
class DictionaryRecipe:
    """How to train: Adam, `expansion` × d features, of which the `k` largest are active.

    Raises UsageError for a value that is not positive, and for a seed that is no seed.
    """

    expansion: int = defaults.EXPANSION
    k: int = defaults.ACTIVE
    seed: int = defaults.SEED
    steps: int = defaults.STEPS
    batch_size: int = 512
    learning_rate: float = 5e-3

    def __post_init__(self) -> None:
        for name in ("expansion", "k", "steps", "batch_size", "learning_rate"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be more than 0.")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"seed is {self.seed}; it must be a whole number from 0 to 2^63 - 1.")


@dataclass(frozen=True)
class Learned:
    """A dictionary, and what it is worth on positions that it was not trained on.

    `explained` is the share of their variance, 1 − Σ |f − f̃|² / Σ |f − f̄|² with f̃ = f̂ D + c, and
    `active` (L0) how many features there are at a position, in the mean. `dead` features are active
    nowhere, in training neither.
    """

    dictionary: Dictionary
    explained: float
    active: float
    dead: int


def learn(
    train: Float[Tensor, "n d"],
    held_out: Float[Tensor, "m d"],
    recipe: DictionaryRecipe | None = None,
    *,
    name: str = "",
    progress: Progress = USUAL,
) -> Learned:
    """Return a dictionary f̂ = top-k(f W + b), f ≈ f̂ D + c of activations, and what it is worth.

    It is trained on (f − f̄) / σ, with σ² the mean variance of the coordinates, from W = Dᵀ with
    rows of D of random directions, and σ and f̄ are folded in afterwards: rows of D have length 1.
    What features that are long inactive make of the rest is added to the loss, so that they find
    work. On one thread, so that a seed gives the same numbers each time on the same machine.

    Raises UsageError if k is more than the features, or the activations of the layer called `name`
    do not vary.
    """
    recipe = recipe or DictionaryRecipe()
    features = recipe.expansion * train.shape[1]
    if recipe.k > features:
        raise UsageError(
            f"k is {recipe.k}, and the dictionary of layer {name!r} has {features} features "
            f"({recipe.expansion} × {train.shape[1]} coordinates). Give a smaller k."
        )
    mean = train.double().mean(0).float()
    sigma = float((train - mean).square().mean().sqrt())
    if min(sigma, float(held_out.std(0).max())) <= CONSTANT * float(train.abs().max()):
        raise UsageError(
            f"The activations of layer {name!r} do not vary on this data: there is nothing to "
            "explain. Take another layer, or more data."
        )
    with one_thread(), progress.stage(f"dictionary of {name}", recipe.steps) as advance:
        fitted = _fit((train - mean) / sigma, features, recipe, advance)
        dictionary = _folded(*fitted, mean, sigma, recipe.k)
        return _judged(dictionary, train, held_out)


def _fit(
    x: Float[Tensor, "n d"],
    features: int,
    recipe: DictionaryRecipe,
    advance: Callable[[int], None],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return W, b, D and c of activations of mean 0 and variance 1."""
    generator = torch.Generator().manual_seed(recipe.seed)
    width = x.shape[1]
    decoder = torch.nn.functional.normalize(torch.randn(features, width, generator=generator))
    parts = [decoder.T.clone(), torch.zeros(features), decoder, torch.zeros(width)]
    encoder, bias, decoder, center = (part.requires_grad_() for part in parts)
    optimizer = torch.optim.Adam([encoder, bias, decoder, center], lr=recipe.learning_rate)
    quiet = torch.zeros(features, dtype=torch.long)
    batches = endless_batches(torch.arange(len(x)), recipe.batch_size, generator)
    for step in range(recipe.steps):
        left = (recipe.steps - step) / (COOLING * recipe.steps)
        optimizer.param_groups[0]["lr"] = recipe.learning_rate * min(1.0, left)
        batch = x[next(batches)]
        before = (batch - center) @ encoder + bias
        active = _largest(before, recipe.k)
        rest = batch - active @ decoder - center
        loss = rest.square().mean()
        dead = quiet > QUIET
        if dead.any():
            loss = loss + REVIVAL * _revived(before, rest.detach(), decoder, dead)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            decoder /= decoder.norm(dim=1, keepdim=True)
            quiet = torch.where((active > 0).any(0), 0, quiet + 1)
        advance(1)
    with torch.no_grad():
        return encoder, bias - center @ encoder, decoder, center


def _largest(before: Tensor, k: int) -> Tensor:
    """Return the k largest of each row where they are above 0; elsewhere 0."""
    values, where = before.topk(k, -1)
    return torch.zeros_like(before).scatter(-1, where, values.relu())


def _revived(before: Tensor, rest: Tensor, decoder: Tensor, dead: Bool[Tensor, " r"]) -> Tensor:
    """Return the share of the rest that the largest dead features leave over."""
    most = min(int(dead.sum()), max(decoder.shape[1] // 2, 1))
    told = _largest(before[:, dead], most) @ decoder[dead]
    return (rest - told).square().mean() / rest.square().mean().clamp_min(1e-12)


@torch.no_grad()
def _folded(
    encoder: Tensor, bias: Tensor, decoder: Tensor, center: Tensor,
    mean: Tensor, sigma: float, k: int,
) -> Dictionary:  # fmt: skip
    """Return the dictionary of f, of one of (f − f̄) / σ: features and c come in units of f."""
    encoder, mean = encoder.double(), mean.double()
    offset = sigma * bias.double() - mean @ encoder
    origin = mean + sigma * center.double()
    return Dictionary(encoder, offset, decoder.double(), origin, "topk", k=k)


@torch.no_grad()
def _judged(dictionary: Dictionary, train: Tensor, held_out: Tensor) -> Learned:
    """Return a dictionary with what it is worth, in float64."""
    rest, active = 0.0, 0
    alive = torch.zeros(dictionary.features, dtype=torch.bool)
    for f in held_out.double().split(CHUNK):
        features = dictionary.coordinates(f)
        rest += float((f - features @ dictionary.decoder - dictionary.decoder_bias).square().sum())
        active += int((features > 0).sum())
        alive |= (features > 0).any(0)
    for f in train.split(CHUNK):
        alive |= (dictionary.coordinates(f.double()) > 0).any(0)
    whole = float((held_out.double() - held_out.double().mean(0)).square().sum())
    return Learned(dictionary, 1 - rest / whole, active / len(held_out), int((~alive).sum()))
