"""The features and the interactions of a run, as tables."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, get_args

from lib_graph.errors import UsageError
from lib_graph.run.circuit import INTERACTION_COLUMNS
from queries.asking.places import Place, find_layer
from queries.asking.reader import Reader
from queries.asking.statements import read_text
from queries.asking.tables import Table

__all__ = ["Sort", "list_features", "list_interactions", "list_sections"]

Sort = Literal["index", "importance", "variance"]


def list_features(
    reader: Reader, *, layer: str | None, sort: Sort, limit: int | None = None
) -> Table:
    """Return the features of a layer or of all: FEATURE_COLUMNS.

    sort: 'index' for layer and index, 'importance' or 'variance' for the largest first. limit: at
    most so many of them (None: all).

    Raises UsageError for another word or a limit of less than 1, NotFoundError for a layer that is
    not there.
    """
    if sort not in get_args(Sort):
        raise UsageError(f"Features cannot be sorted by {sort!r}. Take {get_args(Sort)}.")
    if limit is not None and limit < 1:
        raise UsageError(f"The limit is {limit}. Ask for at least 1 feature.")
    index = None if layer is None else find_layer(layer, reader.layers).index
    frame = reader.frame(read_text("features"), layer=index)
    if sort != "index":
        frame = frame.sort_values(sort, ascending=False, kind="stable", ignore_index=True)
    return Table(frame if limit is None else frame.head(limit), reader.statements)


def list_interactions(
    reader: Reader,
    *,
    source: Place | None,
    target: Place | None,
    min_strength: float,
    limit: int,
    constants: bool,
) -> Table:
    """Return the strongest interactions from and into places: INTERACTION_COLUMNS.

    constants: also those out of the constant features.

    Raises UsageError if the limit is less than 1 or the strength is no number.
    """
    if limit < 1:
        raise UsageError(f"The limit is {limit}. Ask for at least 1 interaction.")
    _check_strength(min_strength)
    frame = reader.frame(
        read_text("interactions"),
        source_layer=source and source.layer.index,
        source=source and source.index,
        target_layer=target and target.layer.index,
        target=target and target.index,
        constants=constants,
        min_strength=float(min_strength),
        limit=limit,
    )
    return Table(frame, reader.statements)


def list_sections(reader: Reader, *, min_strength: float) -> Iterator[Table]:
    """Return all interactions, those of constant features too, a section at a time.

    The columns are INTERACTION_COLUMNS, by source and target.

    Raises UsageError if the strength is no number.
    """
    _check_strength(min_strength)
    return (_section(reader.again(), layer.index, min_strength) for layer in reader.layers[:-1])


def _section(reader: Reader, layer: int, min_strength: float) -> Table:
    frame = reader.frame(
        read_text("section_interactions"), layer=layer, min_strength=float(min_strength)
    ).sort_values(["source_index", "target_index"], ignore_index=True)
    return Table(frame[list(INTERACTION_COLUMNS)], reader.statements)


def _check_strength(least: float) -> None:
    if math.isnan(least):
        raise UsageError("The least strength is nan, which no strength is above. Give a number.")
