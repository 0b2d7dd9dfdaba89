"""Modules that many tests build, traced once."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lib_graph.cutting import cuts
from lib_graph.cutting.traced import Course, TracedModule
from lib_graph.cutting.tracing import trace

__all__ = ["traced_once"]

_graphs: dict[bytes, TracedModule] = {}


@pytest.fixture(scope="module", autouse=True)
def traced_once() -> Iterator[None]:
    """Have a module whose like was traced before, on the like inputs, cut out of that graph.

    A graph has the names of the parameters and not their numbers, and nobody changes it. Each
    network is held against its own module, as ever. For tests of what comes after tracing: a
    conftest of those that it is imported into.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuts, "trace", _trace)
        yield


def _trace(
    module: nn.Module, inputs: tuple[Tensor, ...], wanted: Sequence[str], course: Course
) -> TracedModule:
    if course.own.own:
        return trace(module, inputs, wanted, course)
    try:
        key = _digest((module, inputs, list(wanted), course, torch.get_default_dtype()))
    except (pickle.PicklingError, AttributeError, TypeError):  # a class or function of a test
        return trace(module, inputs, wanted, course)
    if key not in _graphs:
        _graphs[key] = trace(module, inputs, wanted, course)
    return _graphs[key]


class _Pickler(pickle.Pickler):
    """Pickles with the bytes of all tensors but parameters, of which only the form counts."""

    def reducer_override(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return NotImplemented
        form = [type(value).__name__, str(value.dtype), value.shape, value.stride()]
        content = b"" if isinstance(value, nn.Parameter) else value.detach().numpy().tobytes()
        return tuple, ([*form, value.requires_grad, content],)


def _digest(value: Any) -> bytes:
    buffer = BytesIO()
    _Pickler(buffer).dump(value)
    return buffer.getvalue()
