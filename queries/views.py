"""Answers as tables for a person: short ids, few digits, the columns that fit a terminal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from queries.output import View

if TYPE_CHECKING:
    from queries.answers import Table
    from queries.circuits import Circuit
    from queries.communities import Communities
    from queries.paths import Paths

__all__ = [
    "circuit_view",
    "communities_view",
    "features_view",
    "interactions_view",
    "paths_view",
    "runs_view",
    "short_id",
    "table_view",
]

ARROW = " → "


def short_id(feature: str) -> str:
    """Return a feature's id without its run.

    >>> short_id("0123456789ab/blocks/0.mlp/3")
    'blocks/0.mlp/3'
    """
    return feature.partition("/")[2]


def runs_view(table: Table) -> View:
    """Return the runs of a store."""
    columns = ("id", "name", "model", "basis", "features", "interactions", "loaded", "status")
    rows = [
        (
            row["id"],
            _text(row["name"]),
            _text(row["model"]),
            _text(row["basis"]),
            _text(row["features"]),
            _text(row["interactions"]),
            _text(row["loaded"])[:19].replace("T", " "),
            row["status"],
        )
        for row in table.records()
    ]
    below = "" if rows else "There is no run. Load one with 'lib-graph ingest RUN'."
    numbers = frozenset(["features", "interactions"])
    return View(columns, rows, numbers, frozenset(["id", "loaded"]), below=below)


def features_view(table: Table) -> View:
    """Return features."""
    columns = ("feature", "role", "importance", "variance", "label")
    rows = [
        (
            short_id(row["id"]),
            row["role"],
            _number(row["importance"]),
            _number(row["variance"]),
            _text(row["label"]),
        )
        for row in table.records()
    ]
    return View(columns, rows, frozenset(["importance", "variance"]), frozenset(["feature"]))


def interactions_view(table: Table | Circuit) -> View:
    """Return interactions with the labels of both ends."""
    numbers = ("strength", "stderr", "effect", "share")
    columns = ("source", "target", *numbers, "labels")
    rows = [
        (
            short_id(row["source"]),
            short_id(row["target"]),
            *(_number(row[name]) for name in numbers),
            _labels(row["source_label"], row["target_label"]),
        )
        for row in table.records()
    ]
    return View(columns, rows, frozenset(numbers), frozenset(["source", "target"]))


def paths_view(paths: Paths) -> View:
    """Return paths, the strongest first."""
    columns = ("strength", "cost", "path", "shares")
    rows = [
        (
            _number(path.strength),
            f"{path.cost:.3f}",
            ARROW.join(short_id(feature) for feature in path.path),
            " ".join(f"{share:.3f}" for share in path.shares),
        )
        for path in paths.paths
    ]
    below = "" if rows else "There is no path between these ends."
    return View(columns, rows, frozenset(["strength", "cost", "shares"]), below=below)


def circuit_view(circuit: Circuit) -> View:
    """Return the interactions of a circuit."""
    view = interactions_view(circuit)
    below = (
        f"{len(circuit.features)} features and {len(circuit)} interactions."
        if len(circuit)
        else "No path keeps this share on every interaction. Try a smaller --min-share."
    )
    return replace(view, below=below)


def communities_view(found: Communities) -> View:
    """Return modules with Q above them, and the labels that most of their importance has."""
    columns = ("index", "size", "span", "layers", "labels")
    rows = [
        (
            str(each.index),
            str(each.size),
            str(each.span),
            f"{each.layers[0]}{ARROW}{each.layers[-1]}" if each.span > 1 else each.layers[0],
            ", ".join(
                f"{label} ({share:.0%})" for label, share in each.labels[:3] if share >= 0.01
            ),
        )
        for each in found.communities
        if each.size > 1
    ]
    alone = len(found) - len(rows)
    above = f"Modularity Q = {found.modularity:.4f} at resolution {found.resolution:g}"
    above += "." if found.resolution == 1 else f", {found.modularity_at_1:.4f} at 1."
    below = f"Features that are a module of their own: {alone}." if alone else ""
    numbers = frozenset(["index", "size", "span"])
    return View(columns, rows, numbers, above=above, below=below)


def table_view(table: Table) -> View:
    """Return the rows of a text of the user's own."""
    columns = tuple(str(name) for name in table.frame.columns)
    numbers = [name for name in columns if table.frame[name].dtype.kind in "iuf"]
    rows = [
        tuple(_number(cell) if isinstance(cell, float) else _text(cell) for cell in row.values())
        for row in table.records()
    ]
    below = "" if rows else "No rows."
    return View(columns, rows, frozenset(numbers), below=below)


def _labels(source: str | None, target: str | None) -> str:
    return f"{source or '–'}{ARROW}{target or '–'}" if source or target else ""


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _text(value: Any) -> str:
    return "" if value is None else str(value)
