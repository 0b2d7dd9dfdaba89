"""What a store must hold of a run: its nodes, and what its interactions add up to."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ingest.checking import SectionRules, check_columns, check_features
from ingest.checksum import interaction_checksum
from ingest.potentials import Hops, potentials
from ingest.rows import FeatureRows
from ingest.schema import FEATURE, GRAPH_VERSION, NODE, NodeTable
from ingest.store.columns import Stamp, stamp
from ingest.store.shares import positive
from lib_graph.errors import RunError
from lib_graph.run import Run

__all__ = ["Contents"]


@dataclass(frozen=True)
class Contents:
    """A run as the graph holds it, checked. Make one with `Contents.of(run)`."""

    run: Run
    features: pd.DataFrame
    """Properties of the Feature nodes but `id` and `run`; a missing label is ''."""
    interactions: int
    checksum: int
    strength_total: float
    state: Stamp
    """Of `file`, as it was when it was read."""

    @property
    def file(self) -> Path:
        """Where the interactions are."""
        return self.run.path / "interactions.parquet"

    @classmethod
    def of(cls, run: Run) -> Contents:
        """Read a run folder whole once.

        Raises RunError if its tables contradict each other or the manifest.
        """
        try:
            return _read(run)
        except (pa.ArrowException, OSError) as error:
            raise RunError(
                f"The tables in {str(run.path)!r} cannot be read ({error}). Build the run again."
            ) from error

    @property
    def table(self) -> NodeTable:
        """What its features are in the graph."""
        return FEATURE if self.run.manifest.prompt is None else NODE

    def feature_nodes(self, stored_as: str) -> pd.DataFrame:
        """Return the Feature nodes of the run under the id `stored_as`."""
        place = self.features.layer + "/" + self.features["index"].astype(str)
        return self.features.assign(id=stored_as + "/" + place, run=stored_as)

    def layer_nodes(self, stored_as: str) -> pd.DataFrame:
        """Return the Layer nodes of the run under the id `stored_as`."""
        return pd.DataFrame(
            {
                "id": f"{stored_as}/{layer.name}",
                "run": stored_as,
                "index": layer.index,
                "name": layer.name,
                "width": layer.width,
                "features": layer.features,
            }
            for layer in self.run.layers
        )

    def run_properties(self) -> dict[str, Any]:
        """Return the properties of the Run node but `id`, `status`, and what loading finds out."""
        manifest = self.run.manifest
        return {
            "schema_version": GRAPH_VERSION,
            "name": manifest.name,
            "model": manifest.model.name,
            "basis": manifest.basis,
            "base": manifest.base,
            "prompt": manifest.prompt and manifest.prompt.text,
            "features": sum(layer.features for layer in self.run.layers),
            "interactions": self.interactions,
            "strength_total": self.strength_total,
            "created": manifest.created,
            "manifest": (self.run.path / "manifest.json").read_text(encoding="utf-8"),
        }

    def sections(self) -> Iterator[pd.DataFrame]:
        """Yield the interactions of each section, with their cost.

        Share and cost are NaN where the source is constant.
        """
        for section in self.run.sections():
            share = positive(section.share.to_numpy())
            yield section.assign(share=share, cost=0.0 - np.log(share))


def _read(run: Run) -> Contents:
    state = stamp(run.path / "interactions.parquet")
    check_columns(run)
    check_features(run)
    rules = SectionRules.of(run)
    checksum, so_far, strengths, hops = 0, 0.0, [], []
    for section in run.sections():
        layers = rules.check(section, so_far)
        source, target = section.source.to_numpy(), section.target.to_numpy()
        strength, share = section.strength.to_numpy(), section.share.to_numpy()
        shared = ~np.isnan(share)
        cost = 0.0 - np.log(positive(share[shared]))
        ends = [end[shared] for end in (layers[0], source, layers[1], target)]
        hops.append(Hops(ends[0], ends[1], ends[2], ends[3], cost))
        checksum = (checksum + interaction_checksum(layers[0], source, target, strength)) % 2**64
        so_far += float(strength.sum())
        strengths.append(strength)
    count = sum(len(strength) for strength in strengths)
    rules.check_count(count)
    features = _with_potentials(_features(run), rules.features, hops)
    total = math.fsum(itertools.chain(*strengths))  # rounded once: the order does not matter
    return Contents(run, features, count, checksum, total, state)


def _features(run: Run) -> pd.DataFrame:
    features = run.features.drop(columns=["run", "label_score"]).reset_index(drop=True)
    features["label"] = features.label.fillna("")
    return features


def _with_potentials(
    features: pd.DataFrame, rows: FeatureRows, sections: list[Hops]
) -> pd.DataFrame:
    constants: list[list[int]] = [[] for _ in rows.widths]
    is_constant = features.role == "constant"
    where = features.loc[is_constant, ["layer_index", "index"]]
    for layer, index in where.itertuples(index=False, name=None):
        constants[layer].append(index)
    forward, backward = potentials(rows.widths.tolist(), sections, constants)
    costs = {
        "cost_from_inputs": np.concatenate(forward)[rows.place],
        "cost_to_outputs": np.concatenate(backward)[rows.place],
    }
    order = np.argsort(features.layer_index.to_numpy(), kind="stable")
    return features.assign(**costs).iloc[order].reset_index(drop=True)
