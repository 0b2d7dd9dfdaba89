"""RUN/examples.parquet: the inputs on which each feature is largest.

run, layer, index   the feature
rank                1, 2, … from the largest value down; −1, −2, … from the most negative one up
sample, position    which sample of the data, and where in it; null where the layer has one position
value               f̂ there
text, image         the sample as people write it, the position marked; its picture as PNG, or null
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lib_graph.errors import RunError
from lib_graph.run.folder import Run
from lib_graph.run.writing import made_from
from lib_graph.support.files import whole_file

__all__ = ["EXAMPLES", "NAME", "read_examples", "write_examples"]

NAME = "examples.parquet"
EXAMPLES = pa.schema(
    [
        ("run", pa.string()),
        ("layer", pa.string()),
        ("index", pa.int32()),
        ("rank", pa.int32()),
        ("sample", pa.int64()),
        ("position", pa.int32()),
        ("value", pa.float64()),
        ("text", pa.string()),
        ("image", pa.binary()),
    ]
)
PAGE = 1 << 28  # bytes of distinct texts and images that are written once per layer


def write_examples(
    path: Path, frames: Mapping[str, pd.DataFrame], origin: Mapping[str, Any]
) -> None:
    """Write examples.parquet, a row group per layer, with what it was made from."""
    schema = EXAMPLES.with_metadata({"lib_graph.made_from": json.dumps(origin, sort_keys=True)})
    with (
        whole_file(path) as temporary,
        pq.ParquetWriter(temporary, schema, dictionary_pagesize_limit=PAGE) as writer,
    ):
        for frame in frames.values():
            table = pa.Table.from_pandas(frame[schema.names], schema, preserve_index=False)
            writer.write_table(table.replace_schema_metadata(schema.metadata))


def read_examples(run: Run, *, layer: str | None = None, index: int | None = None) -> pd.DataFrame:
    """Return the examples of a run, or of a layer or feature of it, by layer, index and rank.

    The largest values come first, then the most negative. Raises RunError if there are none, or if
    they are of other features.
    """
    path, again = run.path / NAME, f"'lib-graph examples {run.path}'"
    if not path.exists():
        raise RunError(f"{str(run.path)!r} has no examples. Make them with {again}.")
    origin = made_from(path)
    if origin is None or origin.get("bases") != run.manifest.files["bases.safetensors"]:
        raise RunError(
            f"{str(path)!r} is damaged or of another build. Make it again with {again} --replace."
        )
    wanted = [("layer", "==", layer), ("index", "==", index)]
    filters = [clause for clause in wanted if clause[2] is not None]
    try:
        frame = pq.read_table(path, schema=EXAMPLES, filters=filters or None).to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise RunError(
            f"{str(path)!r} cannot be read ({error}). Make it again with {again} --replace."
        ) from error
    examples: pd.DataFrame = frame.astype({"position": "Int32"})
    return examples
