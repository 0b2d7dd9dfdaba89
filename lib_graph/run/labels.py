"""RUN/labels.json: the labels that people have written, by feature id.

They stand beside features.parquet, which the manifest vouches for and nobody changes, and win over
the labels there.
"""

from __future__ import annotations

import json
from pathlib import Path

from lib_graph.errors import RunError
from lib_graph.support.files import locked, write_json

__all__ = ["NAME", "as_label", "read_labels", "write_label"]

NAME = "labels.json"


def read_labels(folder: Path) -> dict[str, str]:
    """Return the labels written in a run folder, by feature id.

    Raises RunError if the file is not as `write_label` leaves it.
    """
    path = folder / NAME
    if not path.exists():
        return {}
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{str(path)!r} cannot be read as JSON ({error}). Correct it.") from error
    if not isinstance(labels, dict) or not all(isinstance(x, str) for x in labels.values()):
        raise RunError(f"{str(path)!r} is no JSON object of feature ids and texts. Correct it.")
    return labels


def as_label(text: str) -> str:
    r"""Return a text as a label: in one line, and without what a terminal would obey.

    >>> as_label(" two\n words\x1b[31m ")
    'two words[31m'
    """
    return " ".join("".join(c for c in text if c.isprintable() or c.isspace()).split())


def write_label(folder: Path, feature: str, text: str) -> None:
    """Write the label of the feature with this id; the empty text takes a written one away.

    A label is one line: see `as_label`.

    Raises ConflictError if another process writes to the folder.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_label(folder, "0123456789ab/ln1.0/3", "capitals")
    >>> read_labels(folder)
    {'0123456789ab/ln1.0/3': 'capitals'}
    """
    with locked(folder):
        labels = {**read_labels(folder), feature: as_label(text)}
        write_json(folder / NAME, {key: label for key, label in labels.items() if label})
