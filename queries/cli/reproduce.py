"""The verb that makes published results again: reproduce."""

from __future__ import annotations

from pathlib import Path

import click

from lib_graph.cli.commands import command, progress
from lib_graph.cli.output import Output, output_options

__all__ = ["reproduce"]


@command(short_help="Print our numbers beside published ones.")
@click.argument("what", type=click.Choice(["modular-addition"]))
@click.option("--networks", metavar="FOLDER",
              type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="Folder with seed0, seed1 and seed2 of the published networks, each with "
              "model.safetensors and config.json; reference-lib.safetensors and reference-pca."
              "safetensors beside them, the published graphs, are looked at too.")  # fmt: skip
@click.option("--out", default="lib-graph-reproduce", show_default=True,
              type=click.Path(path_type=Path, file_okay=False),
              help="Folder for the runs and their store. What is there is not made "
              "again.")  # fmt: skip
@click.option("--replace", is_flag=True, help="Make all again, in place of what is there.")
@output_options
def reproduce(what: str, networks: Path | None, out: Path, replace: bool, output: Output) -> None:
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
