"""A run folder that is complete, and what can be read from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from lib_graph.errors import NotFoundError, RunError
from lib_graph.run.labels import read_labels, write_label
from lib_graph.run.schema import (
    DATA_FILES,
    INTERACTIONS,
    SCHEMA_VERSION,
    UNFINISHED,
    FeatureId,
    LayerInfo,
    Manifest,
)
from lib_graph.support.files import file_sha256
from lib_graph.support.showing import Display, Displayed
from lib_graph.support.view import View

__all__ = ["FEW", "Run", "row_group_layer"]

FEW = 100_000  # rows; of fewer, threads cost more than they bring
AGAIN = "Build the run again with --replace."


@dataclass(frozen=True, repr=False)
class Run(Displayed):
    """A run folder that is complete and undamaged. Open one with `Run.open(folder)`."""

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """Return the run in a folder, its files checked against the manifest.

        Raises RunError if there is no folder, if the manifest is missing or unreadable, or if a
        file is missing, damaged, or from another build.
        """
        path = Path(path)
        if path.is_file():
            raise RunError(
                f"{str(path)!r} is a file, not a run folder. An attribution graph comes without "
                "its network: 'lib-graph ingest' takes it, and nothing can be traced or ablated."
            )
        if not path.is_dir():
            raise RunError(f"There is no run folder {str(path)!r}. 'lib-graph build' makes one.")
        manifest = _read_manifest(path / "manifest.json")
        for name, expected in manifest.files.items():
            file = path / name
            if not file.is_file():
                raise RunError(f"{str(file)!r} is missing. {AGAIN}")
            if file_sha256(file) != expected:
                raise RunError(
                    f"{str(file)!r} is not the file its manifest describes: it is damaged or was "
                    f"changed. {AGAIN}"
                )
        return cls(path, manifest)

    @property
    def id(self) -> str:
        """The 12 hex digits that name weights, data and configuration."""
        return self.manifest.run_id

    @property
    def layers(self) -> tuple[LayerInfo, ...]:
        """The layers, from the first to the last."""
        return self.manifest.layers

    @cached_property
    def features(self) -> pd.DataFrame:
        """All features (columns of FEATURES, of a prompt also NODE_COLUMNS), by layer and index.

        A label that somebody has written (`label`) stands in place of the one that was computed.
        """
        columns = self.manifest.feature_columns
        file = self.path / "features.parquet"
        table = pq.read_table(file, schema=columns, use_threads=False)
        frame = _frame(table)
        for name in ("number", "depth"):  # of some nodes there is none
            if name in frame:
                frame[name] = pd.array(table[name].to_pylist(), dtype="Int64")
        if labels := read_labels(self.path):
            ids = frame.run + "/" + frame.layer + "/" + frame["index"].astype(str)
            written = ids.map(labels)
            frame["label"] = written.fillna(frame.label)
            frame.loc[written.notna(), "label_score"] = np.nan
        return frame

    def feature(self, layer: str, index: int) -> pd.Series[Any]:
        """Return one row of `features`. Raises NotFoundError if there is no such feature."""
        names = [known.name for known in self.layers]
        if layer not in names:
            raise NotFoundError("layer", layer, names, f"It was to be in {str(self.path)!r}.")
        features = self.features
        rows = features[(features.layer == layer) & (features["index"] == index)]
        if not len(rows):
            known = features["index"][features.layer == layer]
            raise NotFoundError(
                "feature",
                f"{layer}/{index}",
                (f"{layer}/{i}" for i in known),
                "See features.parquet.",
            )
        return rows.iloc[0]

    def label(self, layer: str, index: int, text: str) -> None:
        """Write a feature's label into the folder; the empty text takes a written one away.

        'lib-graph ingest' brings it into a store. Raises NotFoundError if there is no such feature.
        """
        self.feature(layer, index)
        write_label(self.path, str(FeatureId(self.id, layer, index)), text)
        vars(self).pop("features", None)

    @property
    def interactions(self) -> pd.DataFrame:
        """All interactions (columns of INTERACTIONS), by section, source and target."""
        file = self.path / "interactions.parquet"
        return _frame(pq.read_table(file, schema=INTERACTIONS, use_threads=False))

    def sections(self) -> Iterator[pd.DataFrame]:
        """Yield the interactions of one section after the other, in the order of the layers.

        Holds one section in memory at a time. Where interactions skip layers, all are one section.
        """
        if self.manifest.prompt is not None:
            yield self.interactions
            return
        with pq.ParquetFile(self.path / "interactions.parquet") as file:
            layers = [row_group_layer(file, group) for group in range(file.num_row_groups)]
            for layer in self.layers[:-1]:
                groups = [group for group, name in enumerate(layers) if name == layer.name]
                if groups:
                    yield _frame(file.read_row_groups(groups))

    def _display(self) -> Display:
        made = self.manifest
        about = (
            f"run {made.name} ({self.id}) in {self.path}: {made.model.name} in the basis "
            f"{made.basis}, {made.data.name}"
        )
        rows = [
            (each.name, f"{each.features:,}", f"{each.pca_rank:,}", f"{each.width:,}", each.kind)
            for each in self.layers
        ]
        columns = ("layer", "features", "PCA rank", "width", "kind")
        return Display(about, View(columns, rows, frozenset(columns[1:4])))


def is_unfinished(folder: Path) -> bool:
    """Return whether a folder has what a build leaves before it is done."""
    begun = (folder / UNFINISHED).exists() or any((folder / name).exists() for name in DATA_FILES)
    return begun and not (folder / "manifest.json").exists()


def row_group_layer(file: pq.ParquetFile, group: int) -> str:
    """Return the source layer of a row group (a row group holds one section)."""
    column = INTERACTIONS.get_field_index("source_layer")
    return str(file.metadata.row_group(group).column(column).statistics.min)


def _frame(table: pa.Table) -> pd.DataFrame:
    frame = table.to_pandas(use_threads=len(table) > FEW)
    assert isinstance(frame, pd.DataFrame)
    return frame


def _read_manifest(path: Path) -> Manifest:
    if not path.is_file():
        folder = str(path.parent)
        if not is_unfinished(path.parent):
            raise RunError(
                f"{folder!r} is no run folder: it has no manifest.json. 'lib-graph build' makes "
                "one."
            )
        raise RunError(
            f"{folder!r} has no manifest.json: the build did not finish. Run the same 'lib-graph "
            "build' again; it goes on where it stopped."
        )
    try:
        text = path.read_text(encoding="utf-8")
        _check_version(path, json.loads(text))
        manifest = Manifest.model_validate_json(text)
    except (ValidationError, UnicodeDecodeError, json.JSONDecodeError) as error:
        reason = str(error).splitlines()
        raise RunError(f"{str(path)!r} cannot be read ({' '.join(reason[:2])}). {AGAIN}") from error
    if missing := [name for name in manifest.data_files if name not in manifest.files]:
        raise RunError(f"{str(path)!r} does not name {missing}. {AGAIN}")
    return manifest


def _check_version(path: Path, manifest: Any) -> None:
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if isinstance(version, int) and version != SCHEMA_VERSION:
        mend = "Update lib-graph: pip install --upgrade lib-graph"
        raise RunError(
            f"{str(path.parent)!r} has version {version} of the run folder, and this lib-graph "
            f"reads version {SCHEMA_VERSION}. {mend if version > SCHEMA_VERSION else AGAIN}"
        )
