"""Torch's compiler, in processes that compile nothing."""

from __future__ import annotations

from types import FunctionType

__all__ = ["never_compile"]


def never_compile() -> None:
    """Have torch add and multiply in forward mode without loading its compiler, from now on.

    Where one of two numbers has no tangent, torch asks a reference in Python for the shape of the
    sum. That is marked as not to be compiled when it is first called, which loads the compiler:
    more than a second. Here it counts as marked. This is for a process of our own: in another one
    somebody may compile.
    """
    import torch._refs

    for reference in vars(torch._refs).values():
        inner = _wrapped(reference)
        while inner is not None:
            vars(inner).setdefault("__dynamo_disable", inner)
            inner = _wrapped(inner)


def _wrapped(function: object) -> FunctionType | None:
    """Return the function that torch's wrapper of one calls, which it keeps as `fn`.

    What it names as `__wrapped__` may be another, whose documentation it took.
    """
    if not isinstance(function, FunctionType):
        return None
    kept = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    found = next((cell.cell_contents for name, cell in kept if name == "fn"), None)
    return found if isinstance(found, FunctionType) else None
