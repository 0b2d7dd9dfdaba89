"""What the tables of a run folder must fulfil before anything of them is loaded.

A table that breaks a rule is a RunError of one line: the file, the section, the row and the rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ingest.rows import FeatureRows, layer_numbers
from lib_graph.errors import RunError
from lib_graph.run import Run
from lib_graph.run.schema import INTERACTIONS

__all__ = ["SectionRules", "check_columns", "check_features"]

FEATURES_FILE, INTERACTIONS_FILE = "features.parquet", "interactions.parquet"
ROLES = ("feature", "constant", "variance", "error", "carried", "output")
NODE_ROLES = ("feature", "embedding", "error", "bias", "logit")
"""Of the nodes in a prompt's graph"""
SHARE_ERROR = 1e-9  # of a share that is strength over sum, which only rounding may change
LARGEST_SUM = 1e308

Mask = NDArray[np.bool_]
Places = NDArray[np.int64]
Numbers = NDArray[np.float64]


def check_columns(run: Run) -> None:
    """Raise RunError if the tables have not the columns of a run folder."""
    columns = run.manifest.feature_columns
    for name, schema in ((FEATURES_FILE, columns), (INTERACTIONS_FILE, INTERACTIONS)):
        if not pq.read_schema(run.path / name).equals(schema):
            raise RunError(f"{_file(run, name)} has other columns than {schema.names}. {_AGAIN}")


def check_features(run: Run) -> None:
    """Raise RunError if the features are not those of the manifest, or not such as can be."""
    features = run.features.reset_index(drop=True)
    expected = [(layer.index, layer.name, layer.features) for layer in run.layers]
    kept = features[features.role != "constant"]
    unique, first, count = np.unique(kept.layer_index, return_index=True, return_counts=True)
    found = list(zip(unique.tolist(), kept.layer.iloc[first], count.tolist(), strict=True))
    if found != expected:
        raise RunError(f"The features in {_file(run, FEATURES_FILE)} are not those of its manifest."
                       f" {_AGAIN}")  # fmt: skip
    prompt = run.manifest.prompt is not None
    roles, place = (NODE_ROLES, ["index"]) if prompt else (ROLES, ["layer_index", "index"])
    rules = [
        ("a run that is not the manifest's", _mask(features.run != run.id)),
        ("an index that is there before or negative", _double(features, place)),
        (f"a role that is none of {', '.join(roles)}", _mask(~features.role.isin(roles))),
        (
            "a layer_index that is not its layer's",
            layer_numbers(features.layer, _numbered(run)) != features.layer_index.to_numpy(),
        ),
    ]
    for name in ("importance", "variance"):
        value = features[name].to_numpy(dtype=np.float64)
        rules.append((f"{name} that is negative or infinite", (value < 0) | np.isinf(value)))
    for rule, broken in rules:
        if broken.any():
            at = int(np.argmax(broken))
            row = features.loc[at]
            raise RunError(
                f"{_file(run, FEATURES_FILE)}, row {at + 1} ({row.layer}/{row['index']}), has "
                f"{rule}. {_AGAIN}"
            )


@dataclass(frozen=True)
class SectionRules:
    """What the interactions of a section must fulfil, given the features of its run."""

    run: Run
    features: FeatureRows
    """Of all features, the constant ones counted."""
    constant: Mask
    """Whether each of these rows is a constant feature, and False for none (the row -1)."""
    skips: bool
    """Whether interactions may skip layers; all of them are one section then."""

    @classmethod
    def of(cls, run: Run) -> SectionRules:
        """Return the rules for a run whose features are checked."""
        layer, index = (run.features[name].to_numpy() for name in ("layer_index", "index"))
        features = FeatureRows.of(layer, index, len(run.layers))
        constant = np.append(_mask(run.features.role == "constant"), np.False_)
        return cls(run, features, constant, run.manifest.prompt is not None)

    def check(self, section: pd.DataFrame, so_far: float) -> tuple[Places, Places]:
        """Return the numbers of the layers of each row's source and target.

        so_far: the sum of the strengths of the sections before. Raises RunError for the first rule
        that a row breaks, naming the first row that does.
        """
        known = _numbered(self.run)
        source_layer, target_layer = (
            layer_numbers(section[name], known) for name in ("source_layer", "target_layer")
        )
        for rule, broken in self._places(section, source_layer, target_layer):
            self._refuse(section, rule, broken)
        for rule, broken in self._numbers(section, source_layer, target_layer, so_far):
            self._refuse(section, rule, broken)
        return source_layer, target_layer

    def check_count(self, interactions: int) -> None:
        """Raise RunError if the file has rows that are in no section of the run."""
        rows = pq.read_metadata(self.run.path / INTERACTIONS_FILE).num_rows
        if rows != interactions:
            raise RunError(
                f"{_file(self.run, INTERACTIONS_FILE)} has {rows - interactions} rows whose source "
                f"is in no layer of the run but the last. {_AGAIN}"
            )

    def _places(self, section: pd.DataFrame, layer: Places, target_layer: Places) -> list[_Broken]:
        """Return the rules on what a row is about, which come before those on its numbers."""
        source, target = section.source, section.target
        if self.skips:
            another, outside, where = layer < 0, target_layer <= layer, "in no later layer"
        else:
            first = self.run.layers[layer.max()]  # `Run.sections` chose the section by it
            another, outside = layer != first.index, target_layer != first.index + 1
            where = f"outside the next layer, {self.run.layers[first.index + 1].name!r}"
        whole = source.notna() & target.notna()
        start, end = self._row(layer, source), self._row(target_layer, target)
        return [
            ("a run that is not the manifest's", _mask(section.run != self.run.id)),
            ("a source in another layer", another),
            (f"a target {where}", outside),
            ("no source or no target", _mask(~whole)),
            ("a source that is no feature of the run", _mask(~whole) | (start < 0)),
            ("a target that is no feature of the run", _mask(~whole) | (end < 0)),
            ("a constant feature as its target", self.constant[end]),
            ("a source and a target that are there before",
             _mask(section.duplicated(["source", "target_layer", "target"]))),
        ]  # fmt: skip

    def _numbers(
        self, section: pd.DataFrame, layer: Places, target_layer: Places, so_far: float
    ) -> list[_Broken]:
        strength, stderr, effect, share = (
            section[name].to_numpy(dtype=np.float64)
            for name in ("strength", "stderr", "effect", "share")
        )
        constant = self.constant[self._row(layer, section.source)]
        place = self._row(target_layer, section.target)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            total = so_far + np.cumsum(strength)
            counted = np.where(constant, 0.0, strength)
            expected = counted / np.bincount(place, counted)[place]
            far = ~(np.abs(share - expected) <= SHARE_ERROR * expected + np.spacing(0.0))
        return [
            ("a strength that is not a positive number", ~((strength > 0) & np.isfinite(strength))),
            ("a strength with which the sum of all is beyond 1e308", ~(total <= LARGEST_SUM)),
            ("a stderr that is negative or infinite", (stderr < 0) | np.isinf(stderr)),
            ("a stderr that is missing, and others have one", _missing_in_some(stderr)),
            ("an effect that is infinite", np.isinf(effect)),
            ("an effect that is missing, and others have one", _missing_in_some(effect)),
            ("a share, though its source is constant", constant & ~np.isnan(share)),
            ("a share that is not its strength over the sum of those into its target (the "
             "constant's left out), so that shares do not sum to 1", ~constant & far),
        ]  # fmt: skip

    def _row(self, layer: Places, index: pd.Series[Any]) -> Places:
        """Return which feature each (layer, index) is, -1 for none."""
        return self.features.at(layer, index.to_numpy(dtype=np.float64))

    def _refuse(self, section: pd.DataFrame, rule: str, broken: Mask) -> None:
        if not broken.any():
            return
        at = int(np.argmax(broken))
        row = section.iloc[at]
        raise RunError(
            f"{_file(self.run, INTERACTIONS_FILE)}, section from {section.source_layer.min()!r}, "
            f"row {at + 1} ({row.source_layer}/{row.source} > {row.target_layer}/{row.target}), "
            f"has {rule}. {_AGAIN}"
        )


_Broken = tuple[str, Mask]
_AGAIN = "Build the run again with --replace."


def _file(run: Run, name: str) -> str:
    return repr(str(Path(run.path) / name))


def _numbered(run: Run) -> dict[str, int]:
    return {layer.name: layer.index for layer in run.layers}


def _double(features: pd.DataFrame, place: list[str]) -> Mask:
    double = features.duplicated(place) | (features["index"] < 0)
    return _mask(double)


def _missing_in_some(numbers: Numbers) -> Mask:
    """Return where a number is missing, unless all are: a run of one sample has no errors."""
    missing: Mask = np.isnan(numbers)
    return missing & (not missing.all())


def _mask(condition: pd.Series[Any]) -> Mask:
    mask: Mask = condition.to_numpy(dtype=np.bool_)
    return mask
