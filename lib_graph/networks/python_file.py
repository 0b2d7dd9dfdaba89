"""A network and its data out of a person's own Python file, named `path.py:function`."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from lib_graph.errors import LibGraphError, ModelError, NotFoundError, UsageError
from lib_graph.networks.subject import Subject

__all__ = ["is_place", "load"]

DATA = "make_data"
SEED = 0


def is_place(text: str) -> bool:
    """Return whether a text names a function in a Python file.

    >>> is_place("nets/mine.py:make_model"), is_place("models/seed0")
    (True, False)
    """
    return re.fullmatch(r".+\.py:\w+", text) is not None


def load(model: str, data: str | None = None) -> Subject:
    """Return the network that `path.py:function` makes, with its data, and no layers yet.

    `data` is a place too, by default `make_data` in the file of the model. The functions take no
    argument and run with torch's generator at seed 0. The one returns an `nn.Module`, the other the
    module's arguments: a tensor, or a tuple of tensors with the samples on the first axis.

    Raises UsageError if a file or function is not there, ModelError if a function fails or returns
    something else.
    """
    path, _ = _parts(model)
    data = data or f"{path}:{DATA}"
    module = _call(model)
    if not isinstance(module, nn.Module):
        raise ModelError(f"{model!r} returned a {type(module).__name__}, not an nn.Module.")
    inputs = _call(data)
    inputs = (inputs,) if isinstance(inputs, Tensor) else inputs
    if not isinstance(inputs, tuple | list) or not all(isinstance(x, Tensor) for x in inputs):
        raise ModelError(
            f"{data!r} returned a {type(inputs).__name__}. Return a tensor, or a tuple of tensors."
        )
    lengths = [len(x) if x.ndim else 0 for x in inputs]
    if len(set(lengths)) != 1:
        raise ModelError(
            f"{data!r} returned tensors with {lengths} samples. All must have the same number."
        )
    return Subject(path.stem, model, module, tuple(inputs), data, {})


def _parts(place: str) -> tuple[Path, str]:
    path, _, name = place.rpartition(":")
    if not is_place(place):
        raise UsageError(f"{place!r} is no function in a Python file. Write path.py:function.")
    return Path(path), name


def _call(place: str) -> Any:
    """Return what a function of a file returns; files beside it can be imported."""
    path, name = _parts(place)
    if not path.is_file():
        raise UsageError(f"There is no file {str(path)!r}. Write path.py:function.")
    with _beside(path), torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        try:
            module = _module(path)
            functions = [key for key, value in vars(module).items() if callable(value)]
            if name not in functions:
                raise NotFoundError("function", name, functions, f"It was to be in {str(path)!r}.")
            function: Callable[[], Any] = getattr(module, name)
            return function()
        except LibGraphError:
            raise
        except Exception as error:
            line = " ".join(f"{type(error).__name__}: {error}".split())
            raise ModelError(f"{place!r} failed ({line}). --debug shows where.") from error


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"_lib_graph_user_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@contextmanager
def _beside(path: Path) -> Iterator[None]:
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
