"""`lib-graph train`."""

from __future__ import annotations

from pathlib import Path

import click

from lib_graph.cli import command, progress

__all__ = ["train"]


@command()
@click.argument("network", type=click.Choice(["modular-addition"]))
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder to write; new or empty."
)
@click.option("--modulus", default=113, show_default=True, help="p in (a + b) mod p.")
@click.option("--seed", default=0, show_default=True, help="Of the weights and the batches.")
@click.option("--max-steps", default=20_000, show_default=True, help="Give up after so many.")
def train(network: str, out: Path, modulus: int, seed: int, max_steps: int) -> None:
    """Train a network that the examples use, until its test accuracy is 1.

    modular-addition is the one-layer transformer of the papers for (a + b) mod p. It takes about
    two minutes on one core. The folder gets model.safetensors and config.json.

    \b
    lib-graph train modular-addition --out my-model
    lib-graph build my-model --out my-run
    """  # noqa: D301  \b is click's mark
    from lib_graph.errors import UsageError
    from lib_graph.networks.modular_addition import Config
    from lib_graph.training import Recipe
    from lib_graph.training import train as train_network

    if modulus < 2:
        raise UsageError(f"--modulus is {modulus}; it must be at least 2.")
    trained = train_network(
        out,
        Config(modulus=modulus, d_vocab=modulus + 1),
        Recipe(seed=seed, max_steps=max_steps),
        progress=progress(),
    ).training
    assert trained is not None
    click.echo(
        f"{out}: test accuracy {trained.test_accuracy:g}, test loss {trained.test_loss:.2e} "
        f"after {trained.steps} steps."
    )
