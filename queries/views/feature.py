"""What one feature is, as tables for a person and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lib_graph.support.tables import Record, records_of
from lib_graph.support.view import View
from queries.views.cells import fixed_cell, number_cell, percent_cell, share_cell, text_cell

if TYPE_CHECKING:
    import pandas as pd

    from lib_graph.run.feature import Feature
    from lib_graph.run.histograms import Histogram

__all__ = ["bars", "feature_json", "feature_views"]

LONGEST = 100  # letters of an example's text
HEIGHTS = " ▁▂▃▄▅▆▇█"


def feature_views(feature: Feature, folder: str | None) -> list[View]:
    """Return tables of a feature's examples, strongest inputs and strongest outputs.

    `folder` is where its examples are to be found, None where there can be none.
    """
    return [
        _examples(feature, folder),
        _interactions(
            feature.inputs, "source", "Strongest inputs:", "No other feature reaches it."
        ),
        _interactions(feature.outputs, "target", "Strongest outputs:", "It reaches no feature."),
    ]


def _examples(feature: Feature, folder: str | None) -> View:
    above = _headline(feature)
    if folder is None:
        return View((), [], above=above)
    if feature.examples is None:
        place = f"{folder}/{feature.id.layer}/{feature.id.index}"
        below = f"Examples: 'lib-graph examples {folder}', then 'lib-graph feature {place}'."
        return View((), [], above=above, below=below)
    columns = ["value", "sample", "position", "text"]
    if feature.examples.position.isna().all():
        columns.remove("position")
    found = feature.examples.assign(
        value=feature.examples.value.map(number_cell), text=feature.examples.text.map(_line)
    )
    rows = [tuple(map(str, row.values())) for row in records_of(found[columns])]
    numbers = frozenset(["value", "sample", "position"])
    below = "" if rows else "It is 0 on all of the data."
    return View(tuple(columns), rows, numbers, above=above, below=below)


def _headline(feature: Feature) -> str:
    parts = [f"{feature.id.layer}/{feature.id.index} of run {feature.id.run}: {feature.role}"]
    if feature.label is not None:
        score = "" if feature.label_score is None else f" (score {fixed_cell(feature.label_score)})"
        parts.append(f"label {feature.label}{score}")
    if feature.importance is not None:
        place = f"number {feature.rank} in its layer, {share_cell(feature.share, 1)} of it"
        parts.append(f"importance {number_cell(feature.importance)} ({place})")
    if feature.variance is not None:
        parts.append(f"variance {number_cell(feature.variance)}")
    if feature.space is not None:
        first, last = feature.space
        parts.append(f"of equal importance as {first} to {last}, a chosen basis of their space")
    headline = ", ".join(parts)
    return headline if feature.histogram is None else f"{headline}\n{bars(feature.histogram)}"


def bars(found: Histogram) -> str:
    """Return a histogram as a line: where it begins, a bar for each bin, where it ends.

    The tallest bar is the bin with most values, and one that has any is seen. At most 80 wide.

    >>> from lib_graph.run.histograms import Histogram
    >>> bars(Histogram(-1.0, 0.5, 0, 2, (1, 80, 0, 30)))
    '-1 ▁█ ▃ 1, 1.8 % beyond'
    """
    most, last = max(found.counts), len(HEIGHTS) - 1
    heights = (-(-n * last // most) if n else 0 for n in found.counts)
    drawn = "".join(HEIGHTS[height] for height in heights)
    beyond = "" if not found.beyond else f", {percent_cell(found.beyond / found.total)} beyond"
    return f"{number_cell(found.start)} {drawn} {number_cell(found.end)}{beyond}"


def _interactions(rows: pd.DataFrame, other: str, title: str, nothing: str) -> View:
    numbers = ("strength", "share", "effect")
    cells = [
        (
            f"{row[f'{other}_layer']}/{row[other]}",
            *(number_cell(row[name]) for name in numbers),
            text_cell(row["label"]),
        )
        for row in records_of(rows)
    ]
    columns = ("feature", *numbers, "label")
    below = "" if cells else nothing
    return View(columns, cells, frozenset(numbers), frozenset(["feature"]), f"\n{title}", below)


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def feature_json(feature: Feature) -> Record:
    """Return all of a feature as JSON has it; images are left out."""
    names = ("role", "importance", "share", "rank", "variance", "space", "label", "label_score")
    examples, histogram = feature.examples, feature.histogram
    return {
        "id": str(feature.id),
        **{name: getattr(feature, name) for name in names},
        "examples": None if examples is None else records_of(examples.drop(columns="image")),
        "histogram": None if histogram is None else histogram.json_value(),
        "inputs": records_of(feature.inputs),
        "outputs": records_of(feature.outputs),
    }
