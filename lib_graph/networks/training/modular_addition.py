"""Training of the one-layer transformer for (a + b) mod p."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from lib_graph.errors import ModelError, UsageError
from lib_graph.networks.checkpoint import save
from lib_graph.networks.modular_addition import (
    AdditionConfig,
    AdditionTraining,
    ModularAddition,
    split,
)
from lib_graph.networks.training.common import endless_batches, one_thread
from lib_graph.support import defaults
from lib_graph.support.files import check_new
from lib_graph.support.progress import USUAL, Limit, Progress

__all__ = ["AdditionRecipe", "evaluate", "train"]

WEIGHT_DECAY, BETAS = 1.0, (0.9, 0.98)
REPORT_EVERY = 500


@dataclass(frozen=True)
class AdditionRecipe:
    """How to train: AdamW with weight decay 1 and betas (0.9, 0.98), until the target is reached.

    The target is a test accuracy of 1 with a test loss (mean cross-entropy) below `target_loss`,
    looked at every `check_every` steps.

    Raises UsageError for a value that is not positive, and for a seed that is no seed.
    """

    seed: int = defaults.SEED
    max_steps: int = defaults.MAX_STEPS
    batch_size: int = 512
    learning_rate: float = 3e-3
    target_loss: float = 1e-3
    check_every: int = 100

    def __post_init__(self) -> None:
        for name in ("max_steps", "batch_size", "learning_rate", "target_loss", "check_every"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be more than 0.")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"seed is {self.seed}; it must be a whole number from 0 to 2^63 - 1.")


def train(
    out: str | Path,
    config: AdditionConfig | None = None,
    recipe: AdditionRecipe | None = None,
    *,
    progress: Progress = USUAL,
) -> AdditionConfig:
    """Return the configuration of a network trained on (a + b) mod p, written to the folder `out`.

    On one thread, so that a seed gives the same weights each time on the same machine. Raises
    ConflictError if there is something in `out`, ModelError if the target is not reached within
    `max_steps`; then, and on an interruption, nothing is written.
    """
    out, config, recipe = Path(out), config or AdditionConfig(), recipe or AdditionRecipe()
    check_new(out)
    with one_thread():
        module, record = _train(config, recipe, progress)
    config = config.model_copy(update={"training": record})
    save(out, module, config)
    return config


def _train(
    config: AdditionConfig, recipe: AdditionRecipe, progress: Progress
) -> tuple[ModularAddition, AdditionTraining]:
    generator = torch.Generator().manual_seed(recipe.seed)
    module = ModularAddition(config)
    _initialise(module, generator)
    rows, test = split(config)
    optimizer = torch.optim.AdamW(
        module.parameters(), lr=recipe.learning_rate, weight_decay=WEIGHT_DECAY, betas=BETAS
    )
    batches = endless_batches(rows, recipe.batch_size, generator)
    with progress.stage("training", Limit(recipe.max_steps)) as advance:
        for step in range(1, recipe.max_steps + 1):
            optimizer.zero_grad()
            _loss(module, next(batches), config.modulus).backward()
            optimizer.step()
            advance(1)
            if step % recipe.check_every and step < recipe.max_steps:
                continue
            accuracy, loss = evaluate(module, test, config.modulus)
            reached = accuracy == 1 and loss < recipe.target_loss
            if reached or step % REPORT_EVERY == 0:
                progress.say(
                    f"step {step:,} of at most {recipe.max_steps:,}: test accuracy {accuracy:.2%}, "
                    f"test loss {loss:.2g} (wanted: 100%, below {recipe.target_loss:g})"
                )
            if reached:
                return module, _record(recipe, step, accuracy, loss)
    raise ModelError(
        f"Training did not reach test accuracy 1 and test loss {recipe.target_loss:g} within "
        f"{recipe.max_steps} steps (accuracy {accuracy:.4f}, loss {loss:.2e}). Allow more steps, "
        "or try another seed."
    )


@torch.no_grad()
def _initialise(module: ModularAddition, generator: torch.Generator) -> None:
    """Draw weights from N(0, 0.64 / d_model), TransformerLens's choice; biases stay 0."""
    std = 0.8 * module.embed.W_E.shape[1] ** -0.5
    for name, parameter in module.named_parameters():
        if name.rsplit(".", 1)[-1].startswith("W_"):
            parameter.normal_(std=std, generator=generator)


def _loss(module: ModularAddition, tokens: Tensor, modulus: int) -> Tensor:
    return functional.cross_entropy(module(tokens), tokens[:, :2].sum(1) % modulus)


@torch.no_grad()
def evaluate(module: ModularAddition, tokens: Tensor, modulus: int) -> tuple[float, float]:
    """Return accuracy (argmax over all logits) and mean cross-entropy on triples (a, b, p)."""
    logits = torch.cat([module(part) for part in tokens.split(1024)]).double()
    answers = tokens[:, :2].sum(1) % modulus
    accuracy = float((logits.argmax(-1) == answers).double().mean())
    return accuracy, float(functional.cross_entropy(logits, answers))


def _record(recipe: AdditionRecipe, steps: int, accuracy: float, loss: float) -> AdditionTraining:
    return AdditionTraining(
        seed=recipe.seed,
        steps=steps,
        batch_size=recipe.batch_size,
        optimizer="AdamW",
        learning_rate=recipe.learning_rate,
        weight_decay=WEIGHT_DECAY,
        betas=BETAS,
        test_accuracy=accuracy,
        test_loss=loss,
        torch=torch.__version__,
    )
