"""The verb that shows what one feature is, and labels it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lib_graph.cli.commands import command, say_run
from lib_graph.errors import StoreUnavailableError, UsageError
from lib_graph.support import defaults
from lib_graph.support.texts import json_text
from queries.cli.options import run_options

if TYPE_CHECKING:
    from lib_graph.run.feature import Feature

__all__ = ["feature"]


@command(short_help="Show what a feature is, or label it.")
@click.argument("feature", metavar="FEATURE")
@run_options
@click.option("--label", metavar="TEXT", help="Label it; '' takes the label away.")
@click.option("-n", "--limit", default=defaults.SHOWN, show_default=True, help="How many of each.")
@click.option("--images", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
              help="Draw the images among the examples into a PNG, SVG or PDF.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def feature(
    feature: str,
    store: str | None,
    run: str | None,
    label: str | None,
    limit: int,
    images: Path | None,
    as_json: bool,
) -> None:
    """Show a feature: its examples, strongest inputs and strongest outputs.

    FEATURE is RUN/LAYER/INDEX with RUN a run folder, or LAYER/INDEX or an id, as 'features' prints
    it, of a run in a store. The examples are those of 'lib-graph examples RUN', in the folder.

    A label is written where the feature was found. Of a folder, 'lib-graph ingest RUN' brings it
    into a store; in a store alone, it is lost when the run is loaded again.

    \b
    lib-graph feature my-run/ln2.0/3
    lib-graph feature my-run/ln2.0/3 --label 'multiples of 7'
    lib-graph feature ln2.0/3
    """  # noqa: D301  \b is click's mark
    from lib_graph.cli.output import print_view
    from queries.views.feature import feature_json, feature_views

    if limit < 1:
        raise UsageError(f"The limit is {limit}. Ask for at least 1.")
    in_store = store is not None or run is not None
    folder = None if in_store else _of_folder(feature, label, limit)
    found, where = folder or _of_store(feature, store, run, label, limit)
    if images is not None:
        _draw(found, images)
    if as_json:
        click.echo(json_text(feature_json(found), indent=1))
        return
    for view in feature_views(found, where):
        print_view(view)


def _of_folder(text: str, label: str | None, limit: int) -> tuple[Feature, str] | None:
    """Return a feature of a run folder, labelled, and the folder as a shell takes it.

    None if the text names none.
    """
    from lib_graph.run.feature import find_feature, read_feature

    named = find_feature(text)
    if named is None:
        return None
    run, layer, index = named
    folder = shlex.quote(str(run.path))
    if label is not None:
        run.label(layer, index, label.strip())
        click.echo(f"Labelled {layer}/{index}. 'lib-graph ingest {folder}' takes it to a store.",
                   err=True)  # fmt: skip
    return read_feature(run, layer, index, limit=limit), folder


def _of_store(
    text: str, store: str | None, run: str | None, label: str | None, limit: int
) -> tuple[Feature, str | None]:
    """Return a feature of a run in a store, labelled, and what stands for the run's folder.

    That is None for an attribution graph, which has none.

    An id is of the run that it begins with, unless another is named.
    """
    from ingest.store import using_store
    from queries.asking.runs import list_runs, run_meant
    from queries.graph import Graph

    if "/" not in text:
        raise UsageError(
            f"{text!r} is no feature. Write RUN/LAYER/INDEX, with RUN a run folder, or LAYER/INDEX "
            "or an id, of a run in a store."
        )
    try:
        with using_store(store) as opened:
            runs = list_runs(opened)
            of_id = text.partition("/")[0]
            wanted = of_id if run is None and any(each.id == of_id for each in runs) else run
            graph = Graph(opened, run_meant(runs, wanted))
            if label is not None:
                graph.label(text, label)
                click.echo(
                    f"Labelled {graph.place(text)} in {opened.name}; a run folder keeps its own "
                    "labels.",
                    err=True,
                )
            say_run(graph.run.id, graph.run.name, graph.run.base)
            return graph.feature(text, limit=limit), None if graph.run.prompt else "RUN"
    except StoreUnavailableError as error:
        if store is not None:
            raise
        raise StoreUnavailableError(
            f"{text!r} is in no run folder here, and of the store: {error}"
        ) from error


def _draw(found: Feature, file: Path) -> None:
    from queries.pictures.feature import draw_images

    count = draw_images(found, file)
    click.echo(f"Wrote {file}: {count} images.", err=True)
