"""`lib-graph train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lib_graph.cli.commands import Command, progress
from lib_graph.cli.listed import LISTED
from lib_graph.cli.options import memory_option, run_on
from lib_graph.support import defaults
from lib_graph.support.texts import counted

if TYPE_CHECKING:
    from lib_graph.data.text import Text

__all__ = ["train"]

out_option = click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder to write; new or empty."
)
seed_option = click.option(
    "--seed", default=defaults.SEED, show_default=True, help="Of the weights and the batches."
)


@click.group()
def train() -> None:
    """Train a network that the examples use, or dictionaries of a network's layers."""


@train.command(
    "modular-addition", cls=Command, short_help="The papers' transformer for (a + b) mod p."
)
@out_option
@click.option("--modulus", default=defaults.MODULUS, show_default=True, help="p in (a + b) mod p.")
@seed_option
@click.option(
    "--max-steps", default=defaults.MAX_STEPS, show_default=True, help="Give up after so many."
)
def modular_addition(out: Path, modulus: int, seed: int, max_steps: int) -> None:
    """Train the papers' one-layer transformer for (a + b) mod p, until its test accuracy is 1.

    It takes about a minute on one core.

    \b
    lib-graph train modular-addition --out my-model
    lib-graph build my-model --out my-run
    """  # noqa: D301  \b is click's mark
    from lib_graph.errors import UsageError
    from lib_graph.networks.modular_addition import AdditionConfig
    from lib_graph.networks.training.modular_addition import AdditionRecipe
    from lib_graph.networks.training.modular_addition import train as train_network

    if modulus < 2:
        raise UsageError(f"--modulus is {modulus}; it must be at least 2.")
    trained = train_network(
        out,
        AdditionConfig(modulus=modulus, d_vocab=modulus + 1),
        AdditionRecipe(seed=seed, max_steps=max_steps),
        progress=progress(),
    ).training
    assert trained is not None
    click.echo(
        f"{out}: test accuracy {trained.test_accuracy:g}, test loss {trained.test_loss:.2e} "
        f"after {counted(trained.steps, 'step')}."
    )


@train.command("mlp", cls=Command, short_help="A perceptron that classifies images.")
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of images in Parquet, as the Hugging Face hub lays it out.",
)
@out_option
@click.option(
    "--hidden", default="100,100", show_default=True, help="Widths of the hidden layers, by commas."
)
@click.option("--label", help="The column of labels, where there are several.")
@seed_option
@click.option(
    "--epochs", default=defaults.EPOCHS, show_default=True, help="Passes over the training split."
)
def mlp(data: Path, out: Path, hidden: str, label: str | None, seed: int, epochs: int) -> None:
    """Train a multilayer perceptron to classify images: Linear, ReLU, …, Linear.

    On CIFAR-10 it takes about half a minute on one core.

    \b
    lib-graph train mlp --data cifar10 --hidden 100,100 --out my-mlp
    lib-graph build my-mlp --out my-run
    """  # noqa: D301  \b is click's mark
    from lib_graph.errors import UsageError
    from lib_graph.networks.training.mlp import MLPRecipe
    from lib_graph.networks.training.mlp import train as train_network

    try:
        widths = [int(width) for width in hidden.split(",") if width.strip()]
    except ValueError:
        raise UsageError(f"--hidden is {hidden!r}. Write widths by commas: 100,100.") from None
    trained = train_network(
        out, data, widths, MLPRecipe(seed=seed, epochs=epochs), label=label, progress=progress()
    ).training
    assert trained is not None
    test = trained.test_accuracy
    click.echo(
        f"{out}: train accuracy {trained.train_accuracy:.4f}, test accuracy "
        f"{'unknown' if test is None else f'{test:.4f}'} after {trained.epochs} epochs."
    )


@train.command("dictionary", cls=Command, short_help="A sparse autoencoder of each layer.")
@click.argument("model")
@run_on
@click.option(
    "--layers",
    type=LISTED,
    help="Layers to train a dictionary of, by commas: names, points (module.path:in or :out) or "
    "NAME=POINT.  [default: all that the model names, but for the last]",
)
@click.option(
    "--expansion",
    default=defaults.EXPANSION,
    show_default=True,
    help="Features for each coordinate of a layer.",
)
@click.option("-k", "--k", default=defaults.ACTIVE, show_default=True, help="Features that are "
              "active at a position: the largest.")  # fmt: skip
@click.option(
    "--steps", default=defaults.STEPS, show_default=True, help="Batches of 512 positions."
)
@seed_option
@memory_option
@out_option
def dictionary(
    model: str,
    data: str | Text | None,
    granularity: str | None,
    layers: tuple[str, ...] | None,
    expansion: int,
    k: int,
    steps: int,
    seed: int,
    memory: int,
    out: Path,
) -> None:
    """Train a sparse autoencoder (top-k) of each layer of the network MODEL, as `build` takes it.

    What `build` names MODEL is one here. The folder OUT gets bases.safetensors, which says which
    layer each dictionary is of, and training.json. The last tenth of the samples is held out: the
    share of its variance that a dictionary explains is printed. A quarter of a minute for each
    layer of 64 coordinates, on one core.

    \b
    lib-graph train dictionary gpt2 --text stories.txt --layers ln2.3,ln2.4 --out my-saes
    lib-graph build gpt2 --text stories.txt --layers ln2.3,ln2.4,output --basis my-saes --out my-run
    """  # noqa: D301  \b is click's mark
    from lib_graph.building.learning import train_dictionaries
    from lib_graph.networks import subject_of
    from lib_graph.networks.training.dictionary import DictionaryRecipe

    recipe = DictionaryRecipe(expansion, k, seed, steps)
    subject = subject_of(model, data, None, granularity)
    learned = train_dictionaries(
        subject, out, recipe, layers=layers, memory=memory, progress=progress()
    )
    for name, each in learned.items():
        click.echo(
            f"{name}: {each.dictionary.features} features explain {each.explained:.1%} of the "
            f"variance that was held out, {each.active:.1f} of them at a position; {each.dead} dead"
        )
