"""RUN/examples.parquet: the inputs on which each feature is largest.

run, layer, index   the feature
rank                1, 2, … from the largest value down; −1, −2, … from the most negative one up
sample, position    which sample of the data, and where in it; null where the layer has one position
value               f̂ there
text, image         the sample as people write it, the position marked; its picture as PNG, or null
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa

from lib_graph.run.folder import Run
from lib_graph.run.kept import Origin, read_rows
from lib_graph.run.writing import write_rows

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


def write_examples(path: Path, frames: Iterable[pd.DataFrame], origin: Origin) -> None:
    """Write examples.parquet, a row group per layer, with what it was made from."""
    write_rows(path, EXAMPLES, frames, origin, page=PAGE)


def read_examples(run: Run, *, layer: str | None = None, index: int | None = None) -> pd.DataFrame:
    """Return the examples of a run, or of a layer or feature of it, by layer, index and rank.

    The largest values come first, then the most negative. Raises RunError if there are none, or if
    they are of other features.
    """
    wanted = [("layer", "==", layer), ("index", "==", index)]
    filters = [clause for clause in wanted if clause[2] is not None]
    frame = read_rows(run, run.path / NAME, EXAMPLES, filters)
    examples: pd.DataFrame = frame.astype({"position": "Int32"})
    return examples
