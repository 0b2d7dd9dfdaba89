"""What the files of a run folder hold: columns, ids, the manifest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from lib_graph.errors import UsageError
from lib_graph.run.config import BuildConfig
from lib_graph.run.prompt import NODE_COLUMNS, PromptInfo
from lib_graph.run.traced import TracedTokens

__all__ = [
    "DATA_FILES",
    "FEATURES",
    "INTERACTIONS",
    "SCHEMA_VERSION",
    "UNFINISHED",
    "DataInfo",
    "FeatureId",
    "LayerInfo",
    "Loading",
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
        ("role", pa.string()),  # feature | constant | variance | error | carried | output
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
UNFINISHED = ".partial"  # the folder of what a build, or a trace, has not finished
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
    """A layer of a run. `features` counts the kept ones, the constant feature left out.

    `spaces` are the first and last index of features of equal importance: what follows from network
    and data is the space of each such group, its features are chosen in it (docs/method.md §15).
    """

    index: int
    name: str
    width: int
    pca_rank: int
    features: int
    positions: int
    kind: Literal["basis", "raw"]
    spaces: tuple[tuple[int, int], ...] = ()

    @property
    def first_index(self) -> int:
        """Index of the first feature that is not the constant: 0 in a raw layer, else 1."""
        return 0 if self.kind == "raw" else 1

    def space_of(self, index: int) -> tuple[int, int] | None:
        """Return the first and last index of the features that share a space with one, if any."""
        return next((space for space in self.spaces if space[0] <= index <= space[1]), None)


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
    """What manifest.json holds. `prompt` is that of an attribution graph, None of a run over data.

    A run of a prompt has no bases, and its interactions may skip layers (`lib_graph.run.prompt`).
    `traced` is of a run of one input that is tokens of a text (`lib_graph.run.traced`).
    """

    schema_version: Literal[1]
    run_id: str
    name: str
    created: str
    versions: dict[str, str]
    seed: int
    dtype: Literal["float64", "float32"]
    config: BuildConfig
    model: ModelInfo
    data: DataInfo
    basis: str
    base: str | None
    prompt: PromptInfo | None = None
    traced: TracedTokens | None = None
    layers: tuple[LayerInfo, ...]
    cutoffs: dict[str, float]
    timings: dict[str, float]
    checks: dict[str, float]
    notes: tuple[str, ...] = ()
    files: dict[str, str]

    @property
    def data_files(self) -> tuple[str, ...]:
        """The files without which the folder is no run."""
        return DATA_FILES if self.prompt is None else DATA_FILES[1:]

    @property
    def feature_columns(self) -> pa.Schema:
        """The columns of features.parquet."""
        return FEATURES if self.prompt is None else pa.schema([*FEATURES, *NODE_COLUMNS])
