"""Training of a multilayer perceptron on images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from lib_graph.data.images import LabelledImages, read_images, splits
from lib_graph.errors import ModelError, UsageError
from lib_graph.networks.checkpoint import save
from lib_graph.networks.mlp import MLP, ImageData, MLPConfig, MLPTraining
from lib_graph.networks.training.common import endless_batches, one_thread
from lib_graph.support import defaults
from lib_graph.support.files import check_new
from lib_graph.support.progress import USUAL, Progress

__all__ = ["MLPRecipe", "evaluate", "train"]


@dataclass(frozen=True)
class MLPRecipe:
    """How to train: AdamW, for a number of passes over the training split.

    Raises UsageError for a value that is not positive (weight decay may be 0).
    """

    seed: int = defaults.SEED
    epochs: int = defaults.EPOCHS
    batch_size: int = 128
    learning_rate: float = 5e-4
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be more than 0.")
        if self.weight_decay < 0:
            raise UsageError(f"weight_decay is {self.weight_decay}; it must not be negative.")


def train(
    out: str | Path,
    data: str | Path,
    hidden: Sequence[int],
    recipe: MLPRecipe | None = None,
    *,
    label: str | None = None,
    progress: Progress = USUAL,
) -> MLPConfig:
    """Return the configuration of a network trained on the images in `data`, written to `out`.

    `hidden` are the widths of its hidden layers. On one thread, so that a seed gives the same
    weights each time on the same machine. Raises ConflictError if there is something in `out`,
    UsageError if the data cannot be used, ModelError if the loss becomes infinite; then, and on an
    interruption, nothing is written.
    """
    out, folder, recipe = Path(out), Path(data), recipe or MLPRecipe()
    if not all(width > 0 for width in hidden):
        raise UsageError(f"Hidden layers of widths {list(hidden)} cannot be. Give positive widths.")
    check_new(out)
    progress.say(f"Reading {folder}")
    images = read_images(folder, "train", label)
    config = MLPConfig(hidden=tuple(hidden), data=ImageData.of(images, folder, label))
    test = _held_out(folder, label, config.data.classes)
    with one_thread():
        module, record = _train(config, recipe, images, test, progress)
    config = config.model_copy(update={"training": record})
    save(out, module, config)
    return config


def _held_out(folder: Path, label: str | None, classes: int) -> LabelledImages | None:
    """Return the first split not trained on whose labels are known, or None."""
    for split in ("test", "validation"):
        if split in splits(folder):
            images = read_images(folder, split, label)
            if int(images.labels.min()) >= 0 and int(images.labels.max()) < classes:
                return images
    return None


def _train(
    config: MLPConfig,
    recipe: MLPRecipe,
    images: LabelledImages,
    test: LabelledImages | None,
    progress: Progress,
) -> tuple[MLP, MLPTraining]:
    generator = torch.Generator().manual_seed(recipe.seed)
    module = MLP(config.sizes)
    _initialise(module, config.sizes, generator)
    x, y = config.data.inputs(images), images.labels
    optimizer = torch.optim.AdamW(
        module.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    per_epoch = -(-len(x) // recipe.batch_size)
    batches = endless_batches(torch.arange(len(x)), recipe.batch_size, generator)
    with progress.stage("training", recipe.epochs * per_epoch) as advance:
        for epoch in range(1, recipe.epochs + 1):
            for _ in range(per_epoch):
                rows = next(batches)
                optimizer.zero_grad()
                functional.cross_entropy(module(x[rows]), y[rows]).backward()
                optimizer.step()
                advance(1)
            accuracy, loss = evaluate(module, x, y)
            progress.say(f"epoch {epoch}: train accuracy {accuracy:.4f}, train loss {loss:.4f}")
            if not loss < torch.inf:
                raise ModelError(
                    f"The training loss is {loss} after {epoch} epochs. Give a smaller learning "
                    "rate."
                )
    reached: tuple[float | None, float | None] = (None, None)
    if test is not None:
        reached = evaluate(module, config.data.inputs(test), test.labels)
    record = MLPTraining(
        seed=recipe.seed,
        epochs=recipe.epochs,
        steps=recipe.epochs * per_epoch,
        batch_size=recipe.batch_size,
        optimizer="AdamW",
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        train_accuracy=accuracy,
        train_loss=loss,
        test_accuracy=reached[0],
        test_loss=reached[1],
        torch=torch.__version__,
    )
    return module, record


@torch.no_grad()
def _initialise(module: MLP, sizes: Sequence[int], generator: torch.Generator) -> None:
    """Draw weights and biases from U(−1/√d, 1/√d), torch's choice for d inputs."""
    for width, linear in zip(sizes, module.linears, strict=False):
        for parameter in linear.parameters():
            parameter.uniform_(-(width**-0.5), width**-0.5, generator=generator)


@torch.no_grad()
def evaluate(module: MLP, inputs: Tensor, labels: Tensor) -> tuple[float, float]:
    """Return accuracy and mean cross-entropy on inputs."""
    logits = torch.cat([module(part) for part in inputs.split(1024)]).double()
    accuracy = float((logits.argmax(-1) == labels).double().mean())
    return accuracy, float(functional.cross_entropy(logits, labels))
