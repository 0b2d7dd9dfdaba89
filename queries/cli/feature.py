"""The verb that shows what one feature of a run folder is, and labels it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lib_graph.cli.commands import command
from lib_graph.errors import UsageError
from lib_graph.support import defaults
from lib_graph.support.texts import json_text

if TYPE_CHECKING:
    from lib_graph.run.feature import Feature

__all__ = ["feature"]


@command(short_help="Show what a feature is, or label it.")
@click.argument("feature", metavar="RUN/LAYER/INDEX")
@click.option("--label", metavar="TEXT", help="Label it; '' takes the label away.")
@click.option("-n", "--limit", default=defaults.SHOWN, show_default=True, help="How many of each.")
@click.option("--images", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
              help="Draw the images among the examples into a PNG, SVG or PDF.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def feature(
    feature: str, label: str | None, limit: int, images: Path | None, as_json: bool
) -> None:
    """Show a feature of the run folder RUN: its examples, strongest inputs and strongest outputs.

    The examples are those of 'lib-graph examples RUN'. A label that is written here stays in the
    folder; 'lib-graph ingest RUN' brings it into a store.

    \b
    lib-graph feature my-run/ln2.0/3
    lib-graph feature my-run/ln2.0/3 --label 'multiples of 7'
    """  # noqa: D301  \b is click's mark
    from lib_graph.cli.output import print_view
    from lib_graph.run.feature import find_feature, read_feature
    from queries.views.feature import feature_json, feature_views

    if limit < 1:
        raise UsageError(f"The limit is {limit}. Ask for at least 1.")
    run, layer, index = find_feature(feature)
    if label is not None:
        run.label(layer, index, label.strip())
        click.echo(f"Labelled {layer}/{index}. 'lib-graph ingest {run.path}' takes it to a store.",
                   err=True)  # fmt: skip
    found = read_feature(run, layer, index, limit=limit)
    if images is not None:
        _draw(found, images)
    if as_json:
        click.echo(json_text(feature_json(found), indent=1))
        return
    for view in feature_views(found, str(run.path)):
        print_view(view)


def _draw(found: Feature, file: Path) -> None:
    from queries.pictures.feature import draw_images

    count = draw_images(found, file)
    click.echo(f"Wrote {file}: {count} images.", err=True)
