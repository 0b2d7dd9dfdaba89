"""The formats of exports, and which one a file's name says."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from lib_graph.errors import NotFoundError, UsageError

__all__ = ["FORMATS", "Format", "format_of"]

Format = Literal["parquet", "csv", "json", "graphml", "gexf", "cyjs", "node-link", "neuronpedia"]
FORMATS: tuple[Format, ...] = get_args(Format)

SUFFIXES: dict[str, tuple[Format, ...]] = {
    ".parquet": ("parquet",), ".csv": ("csv",), ".graphml": ("graphml",), ".gexf": ("gexf",),
    ".cyjs": ("cyjs",), ".json": ("json", "node-link", "neuronpedia", "cyjs"),
}  # fmt: skip
"""suffix → the formats that have it, the one first that it means alone"""


def format_of(path: str | Path | None, format: str | None = None) -> Format:
    """Return the format of a file: what is asked for, or else what its suffix says.

    >>> format_of("circuit.gexf"), format_of("circuit.json", "node-link")
    ('gexf', 'node-link')

    Raises NotFoundError for a format that is none, UsageError where nothing says it, or where the
    suffix says another.
    """
    suffix = "" if path is None else Path(path).suffix.lower()
    known = SUFFIXES.get(suffix)
    if format is None:
        if known is None:
            what = "standard output" if path is None else repr(str(path))
            raise UsageError(
                f"Nothing says the format of {what}. Give --format {'|'.join(FORMATS)}, or a name "
                f"that ends with {', '.join(SUFFIXES)}."
            )
        return known[0]
    if format not in FORMATS:
        raise NotFoundError("format", format, FORMATS, f"Take one of {', '.join(FORMATS)}.")
    found = next(each for each in FORMATS if each == format)
    if known is not None and found not in known:
        raise UsageError(
            f"{str(path)!r} is not the name of a {format} file: {suffix} says {known[0]}. Leave "
            "--format out, or change the name."
        )
    return found
