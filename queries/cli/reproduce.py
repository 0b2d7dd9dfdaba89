"""The verbs that answer a question of the papers' again: reproduce."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import click

from lib_graph.cli.commands import Command, progress
from lib_graph.cli.listed import LISTED
from lib_graph.cli.output import Output, output_options
from lib_graph.support import defaults

__all__ = ["reproduce"]

replace_option = click.option(
    "--replace", is_flag=True, help="Make all again, in place of what is there."
)


@click.group()
def reproduce() -> None:
    """Answer the papers' questions again, and print our numbers beside theirs."""


@reproduce.command("modular-addition", cls=Command)
@click.option("--networks", metavar="FOLDER",
              type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="Folder with seed0, seed1 and seed2 of the published networks, each with "
              "model.safetensors and config.json; reference-lib.safetensors and reference-pca."
              "safetensors beside them, the published graphs, are looked at too.")  # fmt: skip
@click.option("--out", default="lib-graph-reproduce", show_default=True,
              type=click.Path(path_type=Path, file_okay=False),
              help="Folder for the runs and their store. What is there is not made "
              "again.")  # fmt: skip
@replace_option
@output_options
def modular_addition(networks: Path | None, out: Path, replace: bool, output: Output) -> None:
    """Print our numbers for modular addition beside those that the papers' authors published.

    Of the published networks, seeds 0 to 2, and of the model that comes with lib-graph, in the
    bases LIB and PCA. About 20 CPU seconds for each of them. Single numbers come from

    \b
    edges required  lib-graph build MODEL --basis BASIS --out RUN
                    lib-graph ablate RUN edges --delta 0.001
    modularity      lib-graph ingest RUN
                    lib-graph communities --weights log --run RUN
    purity          lib-graph feature RUN/LAYER/INDEX: the score of its label

    \b
    lib-graph reproduce modular-addition
    lib-graph reproduce modular-addition --networks published --json
    """  # noqa: D301  \b is click's mark
    from lib_graph.analysis.published import REPOSITORY
    from queries.comparing.reproduction import reproduce
    from queries.views.reproduction import reproduction_view

    if networks is None:
        click.echo(
            f"Only the shipped model is run. The published networks are in {REPOSITORY} (MIT): "
            "--networks names their folder.",
            err=True,
        )
    found = reproduce(out, networks, replace=replace, progress=progress())
    output.emit(found, reproduction_view)


@reproduce.command("language-models", cls=Command)
@click.argument("models", nargs=-1, required=True)
@click.option(
    "--text",
    type=click.Path(path_type=Path),
    required=True,
    help="Of a language model: what it reads. A .txt, a .jsonl or .parquet with a column text, or "
    ".safetensors with tokens.",
)
@click.option(
    "--context", default=defaults.CONTEXT, show_default=True, help="Tokens in a row of the text."
)
@click.option(
    "--tokens", default=defaults.STUDIED, show_default=True, help="Tokens to take of the text."
)
@click.option("--bases", type=LISTED, default="pca,lib,random,neuron", show_default=True,
              help="By commas: pca, which is needed, lib, random, neuron, global, and "
              "dictionary-N, sparse autoencoders of N features a coordinate.")  # fmt: skip
@click.option(
    "--seeds", default=defaults.TIMES, show_default=True, metavar="N",
    help="Of the basis random, and of dictionaries.",
)  # fmt: skip
@click.option("--dictionary-text", type=click.Path(path_type=Path), metavar="PATH",
              help="What dictionaries are trained on.  [default: the text]")  # fmt: skip
@click.option("--dictionary-tokens", default=defaults.TOKENS, show_default=True, metavar="N",
              help="Tokens to take of --dictionary-text.")  # fmt: skip
@click.option("-k", "--k", default=defaults.ACTIVE, show_default=True,
              help="Features of a dictionary that are active at a position.")  # fmt: skip
@click.option("--steps", default=defaults.STEPS, show_default=True,
              help="Batches of 512 positions that a dictionary is trained on.")  # fmt: skip
@click.option("--delta", type=LISTED, show_default=True, metavar="SHARES",
              default=",".join(map("{:g}".format, defaults.LOSSES)),
              help="By which shares of itself the cross-entropy may be worse.")  # fmt: skip
@click.option("--answers", default=defaults.ANSWERS, show_default=True,
              help="Tokens that a mask is scored on.")  # fmt: skip
@click.option("--draws", default=defaults.RESAMPLED, show_default=True,
              help="Draws of sequences, for the intervals.")  # fmt: skip
@click.option("--null", default=defaults.NULL, show_default=True, metavar="N",
              help="Q of N graphs without modules.")  # fmt: skip
@click.option("--layers", type=LISTED, help="Of a large network: some of its layers, by commas; "
              "where they end with output, the bases are those of the whole.  [default: "
              "all]")  # fmt: skip
@click.option("--top", type=int, help="Of a large network: the N most important "
              "features of each layer. What takes the whole graph is not asked then: edges "
              "required, modules, what dictionaries rebuild.")  # fmt: skip
@click.option("--edge-samples", type=int, help="With --top: strengths from N rows of "
              "the text.  [default: all]")  # fmt: skip
@click.option("--dtype", default=defaults.DTYPE, show_default=True, help="float64 or float32.")
@click.option("--out", default="lib-graph-language-models", show_default=True,
              type=click.Path(path_type=Path, file_okay=False),
              help="Folder for the runs, results.json and the pictures. What is there is not made "
              "again.")  # fmt: skip
@replace_option
@output_options
def language_models(
    models: tuple[str, ...],
    text: Path,
    context: int,
    tokens: int,
    bases: list[str],
    seeds: int,
    dictionary_text: Path | None,
    dictionary_tokens: int,
    k: int,
    steps: int,
    delta: list[str],
    answers: int,
    draws: int,
    null: int,
    layers: list[str] | None,
    top: int | None,
    edge_samples: int | None,
    dtype: Literal["float64", "float32"],
    out: Path,
    replace: bool,
    output: Output,
) -> None:
    """Ask whether LIB helps on language models: folders, or names on the hub.

    In each basis: how sparse the interactions are at equal rank, exactly and as one random probe a
    sequence would have shown it; how well the words around predict the features; how many edges
    keep the cross-entropy, section by section and all at once; modules beside chance. Dictionaries
    are beside the bases at equal rank and at equal reconstruction. It goes on where it was
    interrupted. A network too large for all of that is asked in part: --layers, --top.
    docs/language-models-results.md has the answer.

    \b
    lib-graph reproduce language-models examples/gpt-neo-8x64 --text stories.txt
    lib-graph reproduce language-models gpt2 --text stories.txt --tokens 20000
    lib-graph reproduce language-models gpt2 --text a.txt --bases pca,dictionary-4
    """  # noqa: D301  \b is click's mark
    from lib_graph.data.text import Text
    from queries.comparing.language_models import Budget, Extent, Lessons, study
    from queries.views.study import study_view

    learned = None if dictionary_text is None else Text(dictionary_text, context, dictionary_tokens)
    found = study(
        models, Text(text, context, tokens), out, bases=bases, seeds=seeds,
        budget=Budget(_shares(delta), answers, draws), lessons=Lessons(learned, k, steps),
        extent=Extent(None if layers is None else tuple(layers), top, edge_samples, dtype),
        null=null, replace=replace, progress=progress(),
    )  # fmt: skip
    output.emit(found, study_view)


def _shares(words: Sequence[str]) -> tuple[float, ...]:
    """Return numbers. Raises UsageError for a word that is none."""
    from lib_graph.errors import UsageError

    try:
        return tuple(float(word) for word in words)
    except ValueError:
        raise UsageError(
            f"--delta is {','.join(words)!r}. Write shares by commas: 0.001,0.01."
        ) from None
