"""The formats that dictionaries come in, and what a place holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from lib_graph.dictionaries import (
    circuit_tracer,
    dictionary_learning,
    e2e_sae,
    gemma_scope,
    goodfire,
    llama_scope,
    openai,
    own,
    qwen_scope,
    rib,
    saelens,
    sparsify,
)
from lib_graph.dictionaries.files import WEIGHTS, Files
from lib_graph.dictionaries.found import Found
from lib_graph.errors import NotFoundError, RunError, UsageError
from lib_graph.support.arguments import checked

__all__ = ["FORMATS", "read_dictionaries"]

Reader = Callable[[Files], list[Found] | None]

READERS: Mapping[str, Reader] = {
    module.NAME: module.read
    for module in (
        own, saelens, sparsify, llama_scope, circuit_tracer, openai, goodfire, rib, qwen_scope,
        dictionary_learning, e2e_sae, gemma_scope,
    )
}  # fmt: skip

FORMATS = tuple(READERS)

DEEPEST = 5  # folders below the one that was named
MOST = 2000  # files that are looked at


@checked
def read_dictionaries(place: str | Path, format: str | None = None) -> list[Found]:
    """Return the dictionaries, bases and transcoders in a file or folder, or in its subfolders.

    `format` is one of FORMATS, for what content cannot decide, and may go on with what the files do
    not say: `qwen-scope,k=50`. Else the content decides.

    >>> import tempfile, torch
    >>> file = Path(tempfile.mkdtemp()) / "sae-l3.pt"
    >>> parts = {"encoder_linear.weight": torch.ones(3, 2), "encoder_linear.bias": torch.zeros(3),
    ...          "decoder_linear.weight": torch.ones(2, 3), "decoder_linear.bias": torch.zeros(2)}
    >>> torch.save(parts, file)
    >>> print(read_dictionaries(file)[0].described("here"))
    Goodfire, relu, 3 features at here

    Raises UsageError if there is nothing there, RunError if there is nothing that is known,
    NotFoundError for another format, and what the readers do.
    """
    path = Path(place)
    name, settings = _settings(format)
    if not path.exists():
        raise UsageError(f"There are no bases at {str(place)!r}. Give a file or folder of them.")
    found = _read(path, {name: READERS[name]} if name else READERS, settings)
    if not found:
        what = f"no {name}" if name else "none of the formats that are known"
        raise RunError(
            f"{str(place)!r} holds no bases: it is {what}{_looks(path)}. Known are "
            f"{', '.join(FORMATS)}."
        )
    return found


def _read(path: Path, readers: Mapping[str, Reader], settings: Mapping[str, str]) -> list[Found]:
    """Return what is found in a place; of a folder in which nothing is, in what it holds."""
    left = [MOST]

    def below(place: Path, depth: int) -> list[Found]:
        left[0] -= 1
        if left[0] < 0:
            raise UsageError(
                f"{str(path)!r} holds more than {MOST} files. Name one of its folders."
            )
        files = Files(place, settings)
        for reader in readers.values():
            if (found := reader(files)) is not None:
                return found
        if not place.is_dir() or depth == DEEPEST:
            return []
        inner = [each for each in sorted(place.iterdir()) if not each.name.startswith(".")]
        return [
            found
            for each in inner
            if (each.is_dir() and not os.path.islink(each)) or each.suffix in WEIGHTS
            for found in below(each, depth + 1)
        ]

    return below(path, 0)


def _settings(format: str | None) -> tuple[str | None, dict[str, str]]:
    """Return the name and the settings in NAME,KEY=VALUE,…"""
    if format is None:
        return None, {}
    name, *rest = (part.strip() for part in format.split(","))
    if name not in FORMATS:
        raise NotFoundError("format", name, FORMATS, f"There are {', '.join(FORMATS)}.")
    settings = {"format": name}
    for part in rest:
        key, equals, value = part.partition("=")
        if not equals or key not in ("k", "norm", "class"):
            raise UsageError(
                f"--format {format!r} has {part!r}, which is none of k=, norm=, class=."
            )
        settings[key] = value
    return name, settings


def _looks(path: Path) -> str:
    """Return, of a file of weights, the names of some of its tensors."""
    if path.is_dir() or path.suffix not in WEIGHTS:
        return ""
    names = sorted(Files(path).names(path))
    return f" (its tensors are {', '.join(names[:4])}{', …' if len(names) > 4 else ''})"
