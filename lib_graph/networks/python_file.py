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

from lib_graph.cutting.arguments import Form, form_of
from lib_graph.cutting.copies import unwrapped
from lib_graph.data.evaluation import Evaluation
from lib_graph.errors import LibGraphError, ModelError, NotFoundError, UsageError
from lib_graph.method.kind import Kind
from lib_graph.networks.subject import Kinds, Subject

__all__ = ["is_place", "load"]

DATA, KINDS, EVALUATION = "make_data", "make_kinds", "make_evaluation"
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
    module's arguments, samples first: a tensor, a tuple of arguments, or a dict of arguments by
    keyword. If the
    file of the model has a function `make_kinds`, it is given the module and returns what sections
    are, {(source layer, target layer): kind}, with the kinds of `lib_graph.kinds`; a function
    `make_evaluation` returns what the network can be scored on: (inputs, labels), the labels being
    the numbers of the right outputs.

    Raises UsageError if a file or function is not there, ModelError if a function fails or returns
    something else.
    """
    path, name = _parts(model)
    file = _executed(path)
    data = data or f"{path}:{DATA}"
    data_path, data_name = _parts(data)
    module = _call(model, _function(file, path, name))
    if not isinstance(module, nn.Module):
        raise ModelError(f"{model!r} returned {type(module).__name__}, not an nn.Module.")
    data_file = file if data_path == path else _executed(data_path)
    found = _call(data, _function(data_file, data_path, data_name))
    inputs, form = _checked_inputs(data, found)
    kinds = _kinds(file, path) if hasattr(file, KINDS) else None
    evaluation = _evaluation(file, path) if hasattr(file, EVALUATION) else None
    return Subject(
        path.stem, model, unwrapped(module), inputs, data, {}, kinds,
        settings={"data": data}, evaluation=evaluation, form=form,
    )  # fmt: skip


def _checked_inputs(data: str, found: Any) -> tuple[tuple[Tensor, ...], Form]:
    try:
        return form_of(found)
    except UsageError as error:
        raise ModelError(f"{data!r} returned {type(found).__name__}. {error}") from error


def _evaluation(file: ModuleType, path: Path) -> Evaluation:
    place = f"{path}:{EVALUATION}"
    found = _call(place, _function(file, path, EVALUATION))
    if not isinstance(found, tuple) or len(found) != 2 or not isinstance(found[1], Tensor):
        raise ModelError(f"{place!r} returned {type(found).__name__}. Return (inputs, labels).")
    return Evaluation(place, _checked_inputs(place, found[0])[0], found[1])


def _kinds(file: ModuleType, path: Path) -> Callable[[nn.Module], Kinds]:
    """Return the function of a file that declares kinds, with its result checked."""
    place, declare = f"{path}:{KINDS}", _function(file, path, KINDS)

    def kinds(module: nn.Module) -> Kinds:
        found = _call(place, declare, module)
        pairs = isinstance(found, dict) and all(
            isinstance(key, tuple) and len(key) == 2 and isinstance(kind, Kind)
            for key, kind in found.items()
        )
        if not pairs:
            raise ModelError(
                f"{place!r} returned {found!r:.60}. Return {{(source layer, target layer): kind}}, "
                "with kinds of lib_graph.kinds."
            )
        declared: Kinds = found
        return declared

    return kinds


def _parts(place: str) -> tuple[Path, str]:
    path, _, name = place.rpartition(":")
    if not is_place(place):
        raise UsageError(f"{place!r} is no function in a Python file. Write path.py:function.")
    return Path(path), name


def _function(file: ModuleType, path: Path, name: str) -> Callable[..., Any]:
    functions = {key: value for key, value in vars(file).items() if callable(value)}
    if name not in functions:
        raise NotFoundError("function", name, functions, f"It was to be in {str(path)!r}.")
    function: Callable[..., Any] = functions[name]
    return function


def _call(place: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function of a file returns; files beside it can be imported."""
    path, _ = _parts(place)
    with _beside(path), torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        try:
            return function(*arguments)
        except LibGraphError:
            raise
        except Exception as error:
            raise _failed(place, error) from error


def _executed(path: Path) -> ModuleType:
    """Return a file as a module; files beside it can be imported."""
    if not path.is_file():
        raise UsageError(f"There is no file {str(path)!r}. Write path.py:function.")
    spec = importlib.util.spec_from_file_location(f"_lib_graph_user_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    with _beside(path), torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        try:
            spec.loader.exec_module(module)
        except LibGraphError:
            raise
        except Exception as error:
            raise _failed(str(path), error) from error
    return module


def _failed(place: str, error: Exception) -> ModelError:
    line = " ".join(f"{type(error).__name__}: {error}".split())
    return ModelError(f"{place!r} failed ({line}). --debug shows where.")


@contextmanager
def _beside(path: Path) -> Iterator[None]:
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
