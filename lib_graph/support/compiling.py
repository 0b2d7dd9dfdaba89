"""Torch's compiler, in processes that compile nothing."""

from __future__ import annotations

from types import ModuleType
from typing import Any

__all__ = ["never_compile"]


def never_compile() -> None:
    """Have torch add and multiply in forward mode without loading its compiler, from now on.

    Where one of two numbers has no tangent, torch asks a reference in Python for the shape of the
    sum. That is marked as not to be compiled when it is first called, which loads the compiler:
    more than a second. Here it counts as marked. This is for a process of our own: in another one
    somebody may compile.
    """
    import torch._refs

    for reference in _functions(torch._refs):
        while (inner := getattr(reference, "__wrapped__", None)) is not None:
            if not hasattr(inner, "__dynamo_disable"):
                vars(inner)["__dynamo_disable"] = inner
            reference = inner


def _functions(module: ModuleType) -> list[Any]:
    return [value for value in vars(module).values() if callable(value)]
