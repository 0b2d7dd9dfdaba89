"""What a study says of each basis, in a line: the first of its tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pandas as pd

from lib_graph.support.view import View

if TYPE_CHECKING:
    from queries.comparing.study_tables import Study

__all__ = ["summary_view"]

KEYS = ["network", "basis"]


def summary_view(study: Study) -> View:
    """Return a row per network and basis, of several seeds their means.

    The effective sources of a target against PCA's, at equal rank and, of dictionaries, at equal
    reconstruction; the share of all pairs that are required at once, at the largest δ; by how many
    of their deviations Q, with weights √E, is above that of graphs without modules; and with which
    AUC words predict the features.
    What was not asked of any of them has no column.
    """
    rows = _by_kind(study.predicted, lambda x: x["value"], measure="auc", how="exact")
    found = {
        "sources to PCA": _cells(_sources(study), "{:.3g}"),
        "at equal reconstruction": _cells(_rebuilt(study.rebuilt), "{:.3g}"),
        **_required(study.required),
        "Q above chance": _cells(_by_kind(study.modules, _above, weights="sqrt"), "{:+.1f} sd"),
        "AUC": _cells(rows, "{:.3g}"),
    }
    shown = {name: cells for name, cells in found.items() if cells}
    cells = [
        (*map(str, key), *(of.get(key, "") for of in shown.values())) for key in rows.index
    ]  # fmt: skip
    return View((*KEYS, *shown), cells, frozenset(shown))


def _by_kind(
    frame: pd.DataFrame, value: Callable[[pd.DataFrame], Any], **where: object
) -> pd.Series[float]:
    """Return means over seeds by network and kind of basis, of the rows that have these values."""
    for name, wanted in where.items():
        frame = frame[frame[name] == wanted] if len(frame) else frame
    if not len(frame):
        return pd.Series(dtype=float)
    kind = frame["basis"].str.split().str[0]
    values: pd.Series[float] = value(frame).astype(float)
    found: pd.Series[float] = values.groupby([frame["network"], kind], sort=False).mean()
    return found


def _sources(study: Study) -> pd.Series[float]:
    """Return the ratios to PCA, whose own is 1."""
    found = _by_kind(study.contrasts, lambda x: x["value"], measure="sources", how="exact")
    base = {(network, "pca"): 1.0 for network in study.predicted["network"].unique()}
    both: pd.Series[float] = pd.concat([pd.Series(base), found])
    return both


def _rebuilt(frame: pd.DataFrame) -> pd.Series[float]:
    if not len(frame):
        return pd.Series(dtype=float)
    beside = frame[frame["basis"] == "pca"].assign(basis=frame["dictionary"])
    return _by_kind(beside, lambda x: x["ratio"])


def _above(frame: pd.DataFrame) -> pd.Series[float]:
    difference: pd.Series[float] = frame["modularity"] - frame["null_mean"]
    return difference / frame["null_sd"].where(frame["null_sd"] > 0)


def _required(frame: pd.DataFrame) -> dict[str, dict[Any, str]]:
    """Return the column of edges required, named by its δ; none without."""
    if not len(frame):
        return {}
    delta = frame["delta"].max()
    found = _by_kind(frame, lambda x: x["share"], kind="all", delta=delta)
    return {f"edges at δ {delta:g}": _cells(found, "{:.1%}")}


def _cells(values: pd.Series[float], form: str) -> dict[Any, str]:
    return {key: form.format(value) for key, value in values.dropna().items()}
