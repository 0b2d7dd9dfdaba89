"""One feature of a run folder, with all that tells what it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from lib_graph.errors import UsageError
from lib_graph.run.examples import NAME, read_examples
from lib_graph.run.folder import Run
from lib_graph.run.histograms import Histogram, read_histogram
from lib_graph.run.schema import INTERACTIONS, FeatureId
from lib_graph.support import defaults
from lib_graph.support.texts import counted

__all__ = ["Feature", "find_feature", "read_feature"]


@dataclass(frozen=True, repr=False)
class Feature:
    """A feature with its examples and its strongest interactions.

    `share` is its part of the layer's importance, and `rank` its place by importance, from 1; both
    are None where it has none. `space` has the first and last index of the features that are as
    important as this one, if there are others: which basis of their space they are is chosen
    (docs/method.md §15). `examples` has the columns of `lib_graph.run.examples`, and `histogram`
    says how often the feature takes which values; each is None where none were made. `inputs` and
    `outputs` are rows of interactions.parquet, the strongest first, those of constant features left
    out, with the label of the other end as `label`.
    """

    id: FeatureId
    role: str
    importance: float | None
    share: float | None
    rank: int | None
    variance: float | None
    space: tuple[int, int] | None
    label: str | None
    label_score: float | None
    examples: pd.DataFrame | None
    histogram: Histogram | None
    inputs: pd.DataFrame
    outputs: pd.DataFrame

    def __repr__(self) -> str:
        label = "" if self.label is None else f", label {self.label}"
        inputs, outputs = len(self.inputs), len(self.outputs)
        ends = f"{counted(inputs, 'input')} and {counted(outputs, 'output')}"
        return f"<Feature {self.id}: {self.role}{label}, {ends}>"


def find_feature(text: str) -> tuple[Run, str, int] | None:
    """Return the run, layer and index that RUN/LAYER/INDEX names, with RUN a run folder.

    Both RUN and LAYER may contain slashes. None if the text does not begin with a run folder;
    raises UsageError if it does, and what follows is no feature.
    """
    parts = text.split("/")
    for end in range(len(parts), 0, -1):
        folder = Path("/".join(parts[:end]) or "/")
        if not (folder / "manifest.json").is_file():
            continue
        *layer, index = parts[end:] or [""]
        if layer and index.isdecimal():
            return Run.open(folder), "/".join(layer), int(index)
        raise UsageError(f"{text!r} is no feature. Write RUN/LAYER/INDEX, with RUN a run folder.")
    return None


def read_feature(run: Run, layer: str, index: int, *, limit: int = defaults.SHOWN) -> Feature:
    """Return a feature of a run, with at most `limit` inputs, outputs and examples at either end.

    Raises NotFoundError if there is no such feature, RunError if its examples or histograms are of
    another build.
    """
    row = run.feature(layer, index)
    rows = run.features[run.features.layer == layer]
    has_importance = bool(pd.notna(row.importance))
    examples = None
    if (run.path / NAME).exists():
        examples = read_examples(run, layer=layer, index=index)
        examples = examples[examples["rank"].abs() <= limit]
    return Feature(
        FeatureId(run.id, layer, index),
        str(row.role),
        _number(row.importance),
        float(row.importance / rows.importance.sum()) if has_importance else None,
        int((rows.importance > row.importance).sum()) + 1 if has_importance else None,
        _number(row.variance),
        next(known for known in run.layers if known.name == layer).space_of(index),
        None if pd.isna(row.label) else str(row.label),
        _number(row.label_score),
        examples,
        read_histogram(run, layer, index),
        _strongest(run, "source", ("target_layer", layer), ("target", index), limit),
        _strongest(run, "target", ("source_layer", layer), ("source", index), limit),
    )


def _number(value: object) -> float | None:
    return None if pd.isna(value) else float(value)  # type: ignore[call-overload, arg-type]


def _strongest(
    run: Run, other: str, layer: tuple[str, str], index: tuple[str, int], limit: int
) -> pd.DataFrame:
    """Return the strongest interactions at one end, with the labels at the `other`."""
    rows = pq.read_table(
        run.path / "interactions.parquet",
        schema=INTERACTIONS,
        filters=[(name, "==", value) for name, value in (layer, index)],
    ).to_pandas()
    features = run.features.set_index(["layer", "index"])[["role", "label"]]
    rows = rows.join(features, on=[f"{other}_layer", other])
    rows = rows[rows.role != "constant"].drop(columns="role")
    strongest = rows.sort_values(["strength", other], ascending=[False, True])
    found: pd.DataFrame = strongest.head(limit).reset_index(drop=True)
    return found
