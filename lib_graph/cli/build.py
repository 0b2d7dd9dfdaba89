"""`lib-graph build`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lib_graph.cli.commands import command, progress, say_next
from lib_graph.cli.listed import LISTED
from lib_graph.cli.options import resources, run_on
from lib_graph.errors import UsageError
from lib_graph.support import defaults
from lib_graph.support.texts import counted

if TYPE_CHECKING:
    from lib_graph.data.text import Text
    from lib_graph.run.schema import LayerInfo

__all__ = ["build"]


def _read_config(context: click.Context, _: click.Parameter, path: Path | None) -> None:
    """Take the defaults of the other options from a JSON file, or from a run's manifest."""
    if path is None:
        return
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{str(path)!r} cannot be read as JSON ({error}).") from error
    values = values.get("config", values) if isinstance(values, dict) else values
    known = {p.name for p in context.command.params}
    if not isinstance(values, dict):
        raise UsageError(f"{str(path)!r} is no JSON object of options and values.")
    given = {key: value for key, value in values.items() if value is not None}
    if unknown := sorted(set(given) - known):
        raise UsageError(f"{str(path)!r} has {unknown[0]!r}, which is no option of this command.")
    if isinstance(given.get("basis"), str):
        given["basis"] = [given["basis"]]
    context.default_map = given


@command()
@click.argument("model")
@run_on
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The run folder.")
@click.option("--name", help="What to call the run.  [default: the model's name and the basis]")
@click.option(
    "--layers",
    type=LISTED,
    help="Layers, by commas: names, points (module.path:in or :out) or NAME=POINT.  [default: all "
    "that the model names]",
)
@click.option(
    "--basis",
    "--bases",
    "basis",
    multiple=True,
    default=(defaults.BASIS,),
    show_default=defaults.BASIS,
    metavar="BASIS",
    help="lib, pca, neuron, global (as lib, but by what reaches the last layer), or random (what "
    "lib turns, turned at random); or a place to take them from, PLACE or LAYER=PLACE, several "
    "times for several layers: a run, or bases or dictionaries in any format of docs/formats.md. A "
    "transcoder stands in for the part whose input LAYER is: its features and its error become "
    "those of the layer; what bypasses it has the basis that is named beside.",
)
@click.option("--format", metavar="FORMAT", help="Of the place of --basis, where its content "
              "cannot decide: NAME, or NAME,KEY=VALUE for what its files do not say (k, norm, "
              "class). See docs/formats.md.")  # fmt: skip
@click.option("--seed", default=defaults.SEED, show_default=True, help="Of the basis random.")
@click.option(
    "--last", default=defaults.LAST, show_default=True, help="The last layer: raw or pca."
)
@click.option(
    "--rule",
    default=defaults.RULE,
    show_default=True,
    help="Where derivatives are taken: gradient, gauss-legendre or trapezoid.",
)
@click.option("--points", type=int, help="Nodes of the rule.  [default: 1, 16 or 33]")
@click.option("--dtype", default=defaults.DTYPE, show_default=True, help="float64 or float32.")
@click.option(
    "--tau-pca",
    default=defaults.TAU,
    show_default=True,
    help="Cut variances up to this share of the top; "
    "docs/method.md §16 says what a smaller one is good for.",
)
@click.option(
    "--tau-lib", default=defaults.TAU, show_default=True, help="Cut importances up to this share."
)
@click.option(
    "--biases",
    type=LISTED,
    help="Parameters that count as biases, by commas.  [default: bias and b_…]",
)
@click.option(
    "--partial",
    is_flag=True,
    help="Take derivatives through the named tensors alone: what bypasses a layer is held fixed.",
)
@click.option("--top", type=int, help="Interactions among the so many most important features of "
              "each layer only.")  # fmt: skip
@click.option("--min-importance", type=float, help="Interactions among features of at least this "
              "share of a layer's largest importance only. 1e-6 loses 2 to 5 of the 200 strongest "
              "of a section of modular addition, in one network 24; the run keeps which share of "
              "the importance it left out.")  # fmt: skip
@click.option("--edge-samples", type=int, help="Interactions from a random sample of the data.")
@click.option("--target-error", type=float, help="End the interactions of a section as soon as "
              "those that carry 99 % of each target have this relative error.")  # fmt: skip
@click.option("--probes", type=int, help="Where there is no closed form, estimate the bases from "
              "so many random directions.")  # fmt: skip
@resources
@click.option("--tf32", is_flag=True, help="On a card, interactions from products in TF32, of 10 "
              "bits; the run keeps how far that moves them. With --dtype float32.")  # fmt: skip
@click.option("--device-memory", metavar="SIZE", help="What may be taken of a card's own memory; "
              "batches follow from it.  [default: 80 % of what is free]")  # fmt: skip
@click.option("--examples", type=click.IntRange(min=1), metavar="N", help="Also find N examples at "
              "either end of each feature.")  # fmt: skip
@click.option("--replace", is_flag=True, help="Overwrite another run in the folder.")
@click.option("--force", is_flag=True, help="Build with the bases or transcoders of a file even if "
              "they leave out more than the whole variance of a layer.")  # fmt: skip
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=_read_config,
    help="Take options from this JSON file, or from a run's manifest.json.",
)
def build(
    model: str,
    data: str | Text | None,
    granularity: str | None,
    out: Path,
    name: str | None,
    replace: bool,
    force: bool,
    memory: int,
    device: str,
    device_memory: str | None,
    **given: Any,
) -> None:
    """Compute features and interaction strengths of the network MODEL.

    MODEL is a folder with model.safetensors and config.json; a language model of transformers'
    (GPT-2, GPT-Neo, Llama, Mistral, Qwen2), in a folder or by its name on the hub, with a --text;
    or a function of your own, path.py:make_model, with make_data beside it and, if you like,
    make_kinds(module), which says what sections are. The run folder OUT gets a manifest, the bases,
    the features and the interactions. An interrupted build goes on with the same command. Several
    processes share the data if torchrun starts them.

    \b
    lib-graph build models/seed0 --out runs/seed0-pca --basis pca
    lib-graph build gpt2 --text stories.txt --tokens 20000 --out gpt2-run
    lib-graph build gpt2 --text a.txt --granularity mlp --basis my-set --out mlps
    torchrun --nproc-per-node 2 -m lib_graph build my-model --out my-run
    """  # noqa: D301  \b is click's mark
    from lib_graph.building.build import build as build_run
    from lib_graph.building.options import Options
    from lib_graph.support.memory import parse_bytes

    examples = given.pop("examples")
    layers = given.pop("layers")
    basis = given.pop("basis")
    basis = basis[0] if len(basis) == 1 else basis
    options = Options(basis, memory=memory, **given)
    run = build_run(
        model, out, options, data=data, layers=layers, granularity=granularity, name=name,
        replace=replace, force=force, device=device, progress=progress(),
        device_memory=None if device_memory is None else parse_bytes(device_memory),
    )  # fmt: skip
    if os.environ.get("RANK", "0") != "0":
        return
    click.echo(f"{out}: run {run.id} ({run.manifest.name})")
    for layer in run.layers:
        click.echo(f"  {_features(layer)}")
    if examples is not None:
        from lib_graph.analysis.examples import find_examples

        find_examples(
            run, count=examples, replace=replace, memory=memory, device=device, progress=progress()
        )
    say_next(["lib-graph", "ingest", out])


def _features(layer: LayerInfo) -> str:
    """Return how many features a layer has, and how many of them share their importance."""
    features, width = counted(layer.features, "feature"), counted(layer.width, "coordinate")
    line = f"{layer.name}: {features} of {width}"
    shared = sum(last - first + 1 for first, last in layer.spaces)
    return f"{line}, {shared} of them equally important as others" if shared else line
