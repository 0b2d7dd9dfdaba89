"""Where the features of a circuit stand in a layered picture: a column per layer.

Within a column, features of the same module stand together, and each near those that it interacts
with most. Nodes of an attribution graph stand by position in the prompt, in bands of rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from queries.circuits.circuit import Circuit

__all__ = ["Layout", "lay_out"]

SWEEPS = 8
LOOSEST = 2.5  # the widest spacing in a column, in rows


@dataclass(frozen=True, eq=False)
class Layout:
    """A frame with a row per feature: the circuit's columns, and column, y, module.

    `columns` are the layers' names from left to right; y is in rows, 0 at the top, and at least 1
    apart within a column; `height` is the number of rows. module is 0 where there is none.
    """

    nodes: pd.DataFrame
    columns: tuple[str, ...]
    height: float


def lay_out(circuit: Circuit, membership: Mapping[str, int]) -> Layout:
    """Return where each feature stands; `membership` maps ids to the numbers of modules."""
    nodes = circuit.features.set_index("id", drop=False)
    layers = nodes.drop_duplicates("layer_index").sort_values("layer_index")
    columns = {index: column for column, index in enumerate(layers["layer_index"])}
    nodes = nodes.assign(
        column=nodes["layer_index"].map(columns),
        module=[membership.get(feature, 0) for feature in nodes["id"]],
        y=0.0,
    )
    if "position" in nodes:
        return _by_position(nodes, tuple(layers["layer"]))
    height = float(nodes["column"].value_counts().max())
    orders = [list(rows["id"]) for _, rows in nodes.groupby("column", sort=True)]
    y = {feature: at for order in orders for feature, at in zip(order, _rows(order, height))}  # noqa: B905
    bands = _bands(nodes)
    rank = {feature: i for i, feature in enumerate(nodes["id"])}
    neighbours = _neighbours(circuit)
    for sweep in range(SWEEPS):
        for order in orders if sweep % 2 == 0 else reversed(orders):
            pull = {feature: _pull(neighbours.get(feature, {}), y, y[feature]) for feature in order}
            order.sort(key=lambda feature: (bands[feature], pull[feature], rank[feature]))
            y.update(zip(order, _rows(order, height)))  # noqa: B905
    nodes["y"] = nodes["id"].map(y)
    return Layout(nodes.reset_index(drop=True), tuple(layers["layer"]), height)


def _by_position(nodes: pd.DataFrame, columns: tuple[str, ...]) -> Layout:
    """Return nodes of a prompt's graph: the first position on top, each as high as it has to be."""
    nodes = nodes.reset_index(drop=True)
    below = nodes.groupby(["position", "column"]).cumcount()
    tall = below.groupby(nodes["position"]).max() + 1
    above = tall.cumsum() - tall
    y = (nodes["position"].map(above) + below).astype(float)
    return Layout(nodes.assign(y=y), columns, float(tall.sum()))


def _rows(order: list[str], height: float) -> list[float]:
    """Return evenly spaced places, centred in the height, not too far apart."""
    spacing = min(height / len(order), LOOSEST)
    middle = (len(order) - 1) / 2
    return [float((height - 1) / 2 + (i - middle) * spacing) for i in range(len(order))]


def _bands(nodes: pd.DataFrame) -> dict[str, int]:
    """Return which band of the picture a feature stands in: its module, in columns that have any.

    A column without modules (outputs) is ordered by its interactions alone.
    """
    return dict(zip(nodes["id"], nodes["module"].replace(0, 10**9), strict=True))


def _neighbours(circuit: Circuit) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    edges = circuit.interactions
    for source, target, share in zip(
        edges["source"], edges["target"], edges["share"].fillna(0), strict=True
    ):
        found.setdefault(source, {})[target] = share
        found.setdefault(target, {})[source] = share
    return found


def _pull(neighbours: Mapping[str, float], y: Mapping[str, float], here: float) -> float:
    """Return the mean place of a feature's neighbours, weighted by share."""
    weights = np.fromiter(neighbours.values(), dtype=np.float64)
    if weights.sum() == 0:
        return here
    return float(np.average([y[feature] for feature in neighbours], weights=weights))
