"""The features: importance spectra, and the strongest of each layer with their examples."""

from __future__ import annotations

import base64

import pandas as pd

from lib_graph.run.examples import NAME, read_examples
from lib_graph.support.tables import records_of
from lib_graph.support.view import View
from queries.pictures.charts import draw_importances
from queries.report.blocks import Block, Chapter, Grid, ImageRows, Missing, Words
from queries.report.source import Source
from queries.report.svg import picture
from queries.views.cells import number_cell, share_cell

__all__ = ["features_part", "spectra_part"]

FEATURES = 5  # of each layer
EXAMPLES = 3  # of each feature, at either end
ENDS = {1: "largest on", -1: "most negative on"}


def spectra_part(source: Source) -> Chapter:
    """Return the importance spectra."""
    frame = source.graph.features().frame
    drawn = picture("importances", lambda: draw_importances(frame), "Importances by rank.")
    about = (
        "In the basis lib, the importance of a feature is the mean squared effect that it has on "
        "the next layer; in pca it is the variance. A steep line means that few features matter."
    )
    return Chapter(
        "importances", "Importance spectra", about, (drawn,),
        (source.ask("plot importances.svg --of importances"),),
    )  # fmt: skip


def features_part(source: Source) -> Chapter:
    """Return the most important features of each layer, with the inputs on which they are large."""
    examples = _examples(source)
    features = source.graph.features(sort="importance").frame.dropna(subset="importance")
    blocks: list[Block] = []
    for layer in (each.name for each in source.graph.layers):
        rows = features[features["layer"] == layer]
        own = None if examples is None else examples[examples["layer"] == layer]
        blocks += _layer(layer, rows, own) if len(rows) else []
    if not blocks:
        blocks.append(Words("No feature of this run has an importance."))
    if examples is None:
        blocks.append(_no_examples(source))
    about = (
        f"The {FEATURES} most important features of each layer. The sign of a feature is "
        "arbitrary, so the inputs at both of its ends tell what it stands for."
    )
    commands = [source.ask("features --sort importance")]
    if source.folder is not None and len(features):
        first = features.iloc[0]
        commands.append(f"lib-graph feature {source.path}/{first['layer']}/{first['index']}")
    return Chapter("features", "The strongest features", about, tuple(blocks), tuple(commands))


def _examples(source: Source) -> pd.DataFrame | None:
    if source.folder is None or not (source.folder.path / NAME).is_file():
        return None
    found = read_examples(source.folder)
    return found[found["rank"].abs() <= EXAMPLES]


def _no_examples(source: Source) -> Block:
    if source.manifest.base is not None:
        return Words(f"Examples are those of run {source.manifest.base}, whose features these are.")
    if source.folder is None:
        return Missing(
            "Examples are in the run's folder, not in a store. A report of the folder shows them.",
            (f"lib-graph examples {source.path}", f"lib-graph report {source.path}"),
        )
    return Missing(
        "The inputs on which each feature is largest were not looked for.",
        (f"lib-graph examples {source.path}",),
    )


def _layer(layer: str, rows: pd.DataFrame, examples: pd.DataFrame | None) -> list[Block]:
    """Return a table of the first features of a layer, and the images among their examples."""
    total = rows["importance"].sum()
    cells, images = [], []
    for row in records_of(rows.head(FEATURES)):
        cells.append(
            {
                "feature": str(row["index"]),
                "importance": number_cell(row["importance"]),
                "of the layer": share_cell(row["importance"] / total, 1) if total > 0 else "",
                "label": row["label"] or "",
            }
        )
        if examples is not None:
            own = examples[examples["index"] == row["index"]].sort_values(
                "rank", key=abs, kind="stable"
            )
            cells[-1] |= {name: _lines(own[own["rank"] * sign > 0]) for sign, name in ENDS.items()}
            images.append((str(row["index"]), _images(own[own["rank"] > 0])))
    columns = tuple(name for name in cells[0] if any(row[name] for row in cells))
    table = [tuple(row[name] for name in columns) for row in cells]
    numbers = frozenset(["feature", "importance", "of the layer"])
    shown = tuple(row for row in images if row[1])
    grid = Grid(layer, View(columns, table, numbers))
    return [grid, ImageRows(layer, shown)] if shown else [grid]


def _lines(examples: pd.DataFrame) -> str:
    """Return a line for each example: its text, else its number in the data."""
    return "\n".join(
        f"sample {row['sample']}" if row["text"] is None else " ".join(row["text"].split())
        for row in records_of(examples)
    )


def _images(examples: pd.DataFrame) -> tuple[str, ...]:
    return tuple(base64.b64encode(image).decode() for image in examples["image"].dropna())
