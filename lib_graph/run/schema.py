"""What the files of a run folder hold: columns, ids, the manifest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from lib_graph.errors import UsageError

__all__ = [
    "DATA_FILES",
    "FEATURES",
    "INTERACTIONS",
    "SCHEMA_VERSION",
    "DataInfo",
    "FeatureId",
    "LayerInfo",
    "Manifest",
    "ModelInfo",
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


class ModelInfo(_Record):
    """The network that was analysed. `biases`: the parameters that count as biases."""

    name: str
    source: str
    sha256: str
    parameters: int
    biases: tuple[str, ...]


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
    notes: tuple[str, ...] = ()
    files: dict[str, str]
