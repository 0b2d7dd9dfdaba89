"""The run folder: what a build leaves, and all that ingest and queries know of a network.

    RUN/manifest.json          what was built, from what, and how; written last
    RUN/features.parquet       a row per feature, the constant feature included
    RUN/interactions.parquet   a row per interaction, a row group per section
    RUN/bases.safetensors      rotation, inverse, mean, pca_eigenvalues, importance of each layer
    RUN/labels.json            labels that people have written, when they have
    RUN/examples.parquet       inputs on which features are largest, when made

A folder without a manifest is an unfinished run. The manifest holds the SHA-256 of every other
file it vouches for, so a damaged or mixed-up folder is noticed when it is opened.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from lib_graph.errors import NotFoundError, RunError, UsageError
from lib_graph.files import file_sha256, whole_file, write_json
from lib_graph.labels_file import read_labels, write_label

__all__ = [
    "FEATURES",
    "INTERACTIONS",
    "SCHEMA_VERSION",
    "DataInfo",
    "FeatureId",
    "LayerInfo",
    "Loading",
    "Manifest",
    "ModelInfo",
    "Run",
    "shares",
]

SCHEMA_VERSION: Literal[1] = 1

FEATURES = pa.schema(
    [
        ("run", pa.string()),
        ("layer", pa.string()),
        ("layer_index", pa.int32()),
        ("index", pa.int32()),
        ("role", pa.string()),  # feature | constant | variance | output
        ("importance", pa.float64()),
        ("variance", pa.float64()),
        ("label", pa.string()),
        ("label_score", pa.float64()),
    ]
)
INTERACTIONS = pa.schema(
    [
        ("run", pa.string()),
        ("source_layer", pa.string()),
        ("source", pa.int32()),
        ("target_layer", pa.string()),
        ("target", pa.int32()),
        ("strength", pa.float64()),
        ("stderr", pa.float64()),
        ("effect", pa.float64()),
        ("share", pa.float64()),
    ]
)
AGAIN = "Build the run again with --replace."
DATA_FILES = ("bases.safetensors", "features.parquet", "interactions.parquet")


@dataclass(frozen=True, order=True)
class FeatureId:
    """A feature's id, written RUN_ID/LAYER/INDEX.

    >>> str(FeatureId("0123456789ab", "blocks/0.mlp", 3))
    '0123456789ab/blocks/0.mlp/3'
    """

    run: str
    layer: str
    index: int

    def __str__(self) -> str:
        return f"{self.run}/{self.layer}/{self.index}"

    @classmethod
    def parse(cls, text: str) -> FeatureId:
        """Split an id at its first and last slash: layer names may contain slashes.

        Raises UsageError if the text is no id.

        >>> FeatureId.parse("0123456789ab/blocks/0.mlp/3").layer
        'blocks/0.mlp'
        """
        run, _, rest = text.partition("/")
        layer, _, index = rest.rpartition("/")
        if not (run and layer and index.isdecimal()):
            raise UsageError(f"{text!r} is not a feature id. Write RUN_ID/LAYER/INDEX.")
        return cls(run, layer, int(index))


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class LayerInfo(_Record):
    """A layer of a run. `features` counts the kept ones, the constant feature left out."""

    index: int
    name: str
    width: int
    pca_rank: int
    features: int
    positions: int
    kind: Literal["basis", "raw"]

    @property
    def first_index(self) -> int:
        """Index of the first feature that is not the constant: 0 in a raw layer, else 1."""
        return 0 if self.kind == "raw" else 1


class Loading(_Record):
    """How a model of transformers was read from its files.

    `precisions` counts the tensors of the files by their precision, `dtype` is that in which all
    are read, which rounds none, and `config_dtype` what config.json says. `tied`: the parameters
    that are one, by all of their names. `apart`: config.json ties the unembedding to the embedding,
    and the files hold two different matrices, which are both kept. `left_out`: tensors of the files
    that the model has no place for.
    """

    dtype: str
    precisions: dict[str, int]
    config_dtype: str | None
    tied: tuple[tuple[str, ...], ...]
    apart: bool
    left_out: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """Yield what somebody who gave the files should know.

        >>> next(Loading(
        ...     dtype="float32", precisions={"float32": 9, "bfloat16": 1}, config_dtype="bfloat16",
        ...     tied=(), apart=False, left_out=(),
        ... ).lines())
        'Weights: read in float32, so that none is rounded (float32: 9, bfloat16: 1; config.json
        says bfloat16).'
        """
        if list(self.precisions) != [self.dtype] or self.config_dtype not in (None, self.dtype):
            held = ", ".join(f"{name}: {count}" for name, count in self.precisions.items())
            said = f"; config.json says {self.config_dtype}" if self.config_dtype else ""
            yield f"Weights: read in {self.dtype}, so that none is rounded ({held}{said})."
        for first, *others in self.tied:
            yield f"Weights: {first} is {', '.join(others)} as well (tied)."
        if self.apart:
            yield (
                "Weights: config.json ties the unembedding to the embedding, but the files hold "
                "two different matrices. Both are kept as they are."
            )
        if self.left_out:
            more = f" and {len(self.left_out) - 1} more" if len(self.left_out) > 1 else ""
            yield f"Weights: the model has no place for {self.left_out[0]!r}{more}: left out."


class ModelInfo(_Record):
    """The network that was analysed. `biases`: the parameters that count as biases; `loading`: of a
    model of transformers, how it was read.
    """

    name: str
    source: str
    sha256: str
    parameters: int
    biases: tuple[str, ...]
    loading: Loading | None = None


class DataInfo(_Record):
    """The data the averages are over. `positions`: input positions that were counted."""

    name: str
    sha256: str
    samples: int
    positions: int


class Manifest(_Record):
    """What manifest.json holds."""

    schema_version: Literal[1]
    run_id: str
    name: str
    created: str
    versions: dict[str, str]
    seed: int
    dtype: Literal["float64", "float32"]
    config: dict[str, Any]
    model: ModelInfo
    data: DataInfo
    basis: str
    base: str | None
    layers: tuple[LayerInfo, ...]
    cutoffs: dict[str, float]
    timings: dict[str, float]
    checks: dict[str, float]
    files: dict[str, str]


@dataclass(frozen=True)
class Run:
    """A run folder that is complete and undamaged. Open one with `Run.open(folder)`."""

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """Return the run in a folder, its files checked against the manifest.

        Raises RunError if the manifest is missing or unreadable, or if a file is missing,
        damaged, or from another build.
        """
        path = Path(path)
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
        """All features (columns of FEATURES), by layer and index.

        A label that somebody has written (`label`) stands in place of the one that was computed.
        """
        frame = _frame(pq.read_table(self.path / "features.parquet", schema=FEATURES))
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
        return _frame(pq.read_table(self.path / "interactions.parquet", schema=INTERACTIONS))

    def sections(self) -> Iterator[pd.DataFrame]:
        """Yield the interactions of one section after the other, in the order of the layers.

        Holds one section in memory at a time.
        """
        with pq.ParquetFile(self.path / "interactions.parquet") as file:
            layers = [row_group_layer(file, group) for group in range(file.num_row_groups)]
            for layer in self.layers[:-1]:
                groups = [group for group, name in enumerate(layers) if name == layer.name]
                if groups:
                    yield _frame(file.read_row_groups(groups))


def row_group_layer(file: pq.ParquetFile, group: int) -> str:
    """Return the source layer of a row group (a row group holds one section)."""
    column = INTERACTIONS.get_field_index("source_layer")
    return str(file.metadata.row_group(group).column(column).statistics.min)


def _frame(table: pa.Table) -> pd.DataFrame:
    frame = table.to_pandas()
    assert isinstance(frame, pd.DataFrame)
    return frame


def _read_manifest(path: Path) -> Manifest:
    if not path.is_file():
        raise RunError(
            f"{str(path.parent)!r} has no manifest.json: the build did not finish. Run the same "
            "'lib-graph build' again; it goes on where it stopped."
        )
    try:
        manifest = Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError, json.JSONDecodeError) as error:
        reason = str(error).splitlines()
        raise RunError(f"{str(path)!r} cannot be read ({' '.join(reason[:2])}). {AGAIN}") from error
    if missing := [name for name in DATA_FILES if name not in manifest.files]:
        raise RunError(f"{str(path)!r} does not name {missing}. {AGAIN}")
    return manifest


def shares(
    strength: np.ndarray[Any, np.dtype[np.float64]],
    target: np.ndarray[Any, np.dtype[np.int32]],
    from_constant: np.ndarray[Any, np.dtype[np.bool_]],
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return each interaction's share of the strength into its target, within one section.

    Sources with role constant are left out: their share is NaN, and so are the shares into a
    target that nothing else flows into. All other shares into one target sum to 1.

    >>> shares(np.array([9.0, 1.0, 3.0]), np.array([5, 5, 5]), np.array([True, False, False]))
    array([ nan, 0.25, 0.75])
    """
    counted = np.where(from_constant, 0.0, strength)
    total = np.bincount(target, weights=counted)[target] if len(target) else counted
    share = np.full(len(counted), np.nan)
    np.divide(counted, total, out=share, where=(total > 0) & ~from_constant)
    return share


def write_manifest(path: Path, fields: dict[str, Any]) -> Run:
    """Write manifest.json, which makes the folder a complete run, and return that run.

    `fields` is all of Manifest but `schema_version` and `files`, which are filled in here.
    """
    files = {name: file_sha256(path / name) for name in DATA_FILES}
    manifest = Manifest(schema_version=SCHEMA_VERSION, files=files, **fields)
    write_json(path / "manifest.json", manifest.model_dump(mode="json"))
    return Run(path, manifest)


def write_features(path: Path, frame: pd.DataFrame, made_from: Mapping[str, Any]) -> None:
    """Write features.parquet, with what it was made from in its metadata."""
    with whole_file(path) as temporary:
        pq.write_table(_table(frame, FEATURES, made_from), temporary)


def write_interactions(
    path: Path, sections: Iterator[pd.DataFrame], made_from: Mapping[str, Any]
) -> None:
    """Write interactions.parquet, a row group per section, rows by source and target.

    A strength that is exactly 0 gets no row; a negative or non-finite one is a RunError.
    """
    schema = _with_origin(INTERACTIONS, made_from)
    with whole_file(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for section in sections:
            if not (np.isfinite(section.strength).all() and (section.strength >= 0).all()):
                raise RunError("An interaction strength is negative or not finite.")
            rows = section[section.strength > 0].sort_values(["source", "target"])
            if len(rows):
                writer.write_table(_table(rows, INTERACTIONS, made_from), row_group_size=len(rows))


def made_from(path: Path) -> dict[str, Any] | None:
    """Return what a parquet file of a run was made from, or None where there is no such file."""
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowInvalid):
        return None
    text = metadata.get(b"lib_graph.made_from")
    return None if text is None else json.loads(text)


def _with_origin(schema: pa.Schema, made_from: Mapping[str, Any]) -> pa.Schema:
    return schema.with_metadata({"lib_graph.made_from": json.dumps(made_from, sort_keys=True)})


def _table(frame: pd.DataFrame, schema: pa.Schema, made_from: Mapping[str, Any]) -> pa.Table:
    table = pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False)
    return table.replace_schema_metadata(_with_origin(schema, made_from).metadata)
