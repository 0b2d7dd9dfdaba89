"""The verb that compares runs: compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lib_graph.cli.commands import command
from lib_graph.support import defaults
from queries.cli.completing import run_names
from queries.cli.options import AnswerOutput, output_options, store_option

if TYPE_CHECKING:
    from queries.modules.graph import Weights

__all__ = ["compare"]


@command(short_help="Compare runs: ranks, sparsity, matches, modules.")
@click.argument("runs", nargs=-1, required=True, shell_complete=run_names)
@store_option
@click.option(
    "--resolution", default=defaults.RESOLUTION, show_default=True, help="Of the modules."
)
@click.option("--seed", default=defaults.SEED, show_default=True, help="Of the modules.")
@click.option(
    "--seeds",
    default=defaults.SEEDS_EACH,
    show_default=True,
    metavar="N",
    help="How well the modules of N seeds agree.",
)
@click.option("--null", default=defaults.SHUFFLED, show_default=True, metavar="N",
              help="Q of N graphs without modules.")  # fmt: skip
@click.option(
    "--weights",
    type=click.Choice(["sqrt", "log"]),
    default=defaults.WEIGHTS,
    show_default=True,
    help="√strength, or log10 of it over the least that an ablation keeps.",
)
@click.option("--top", type=int, help="Sparsity among the so many most important features of each "
              "layer only.")  # fmt: skip
@output_options
def compare(
    runs: tuple[str, ...],
    store: str | None,
    resolution: float,
    seed: int,
    seeds: int,
    null: int,
    weights: Weights,
    top: int | None,
    output: AnswerOutput,
) -> None:
    """Compare RUNS: run folders, files of attribution graphs, or ids, their beginnings or names in
    the store.

    Of each layer: width, PCA rank, features kept, interactions, how many of the strongest make up
    90 and 99 % of the strength, the Gini index, Hoyer's sparsity, and the effective numbers of
    interactions and of a target's sources; the edges required, where 'ablate' found them, and how
    well the features match those of the first run, where 'match' did. Of each run: modularity
    beside that of graphs without modules, and how well the modules fit the labels. Of traces and
    attribution graphs of a prompt, at each token: nodes, those that make up 90 % of the strength
    there, and the share of the strength that flows in there (--json has it by layer).

    \b
    lib-graph compare runs/lib runs/pca
    lib-graph compare my-run-lib my-run-pca --store neo4j --json
    lib-graph compare my-trace graphs/dallas-austin.json
    """  # noqa: D301  \b is click's mark
    from queries.comparing.runs import compare_runs, open_graphs
    from queries.views.modules import runs_compared_view

    with open_graphs(runs, store) as graphs:
        found = compare_runs(
            graphs, resolution=resolution, seed=seed, seeds=seeds, null=null, weights=weights,
            top=top,
        )  # fmt: skip
    output.emit(found, runs_compared_view)
