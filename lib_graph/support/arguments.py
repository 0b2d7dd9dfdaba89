"""Arguments from Python, held against the annotations of what takes them.

The command line knows types by its options, the service by pydantic. A call from Python that gives
a text for a number is told so in one line, as they are, instead of failing somewhere inside.
Nothing is converted but what numpy and pandas have in place of Python's numbers and lists, and JSON
does not know. Annotations are read as they are written: pydantic's `validate_call` would take the
text '3' for a 3, and cannot resolve what is imported for type checkers alone.
"""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from numbers import Integral, Real
from typing import Any, TypeVar

from lib_graph.errors import UsageError

__all__ = ["checked", "checked_class"]

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)

SIMPLE: Mapping[str, tuple[type, str]] = {
    "str": (str, "a text"),
    "int": (Integral, "a whole number"),
    "float": (Real, "a number"),
    "bool": (bool, "True or False"),
    "None": (type(None), "None"),
}
SEVERAL = ("Sequence[", "Iterable[")
LATER = ("Any", "Progress")  # what it is shows when it is used
WORDS = ("Chart", "Engine", "Method", "Sort", "Weights")  # what takes them says which


def checked(function: F) -> F:
    """Return the function, which raises UsageError for an argument of another type.

    >>> @checked
    ... def half(number: float, times: int | None = None) -> float:
    ...     return number / 2
    >>> half(3)
    1.5
    >>> half("a")
    Traceback (most recent call last):
    lib_graph.errors.UsageError: number of half() is 'a'. Give a number.
    """
    signature = inspect.signature(function)

    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        for name, value in bound.arguments.items():
            bound.arguments[name] = _taken(function.__name__, signature.parameters[name], value)
        return function(*bound.args, **bound.kwargs)

    return called  # type: ignore[return-value]


def checked_class(kind: C) -> C:
    """Return the class, each of whose public methods is `checked`."""
    for name, member in list(vars(kind).items()):
        if inspect.isfunction(member) and not name.startswith("_"):
            setattr(kind, name, checked(member))
    return kind


def _taken(function: str, parameter: inspect.Parameter, value: Any) -> Any:
    """Return what an argument is taken as; raise UsageError if it is of another type."""
    if parameter.kind is parameter.VAR_KEYWORD:
        return {key: _plain(each) for key, each in value.items()}
    annotation = str(parameter.annotation)
    if parameter.kind is parameter.VAR_POSITIONAL:
        found = [_plain(each, annotation) for each in value]
        for each in found:
            _check(function, parameter.name, each, annotation)
        return found
    value = _plain(value, annotation)
    _check(function, parameter.name, value, annotation)
    return value


def _plain(value: Any, annotation: str = "") -> Any:
    """Return Python's own for a number of numpy's, and for an array where several are taken."""
    if annotation.startswith(SEVERAL) and hasattr(value, "tolist"):
        return value.tolist()
    number = type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0
    return value.item() if number else value


def _check(function: str, name: str, value: Any, annotation: str) -> None:
    kinds = annotation.split(" | ")
    if annotation != str(inspect.Parameter.empty) and not any(_is(value, kind) for kind in kinds):
        shown = " ".join(reprlib.repr(value).split())
        wanted = " or ".join(_words(kind) for kind in kinds if kind != "None")
        raise UsageError(f"{name} of {function}() is {shown}. Give {wanted}.")


def _is(value: Any, kind: str) -> bool:
    """Return whether a value is of a kind; a class is known by its name."""
    if kind in SIMPLE:
        number = kind in ("int", "float")
        return isinstance(value, SIMPLE[kind][0]) and not (number and isinstance(value, bool))
    if kind.startswith(SEVERAL):
        several = Iterable if kind.startswith("Iterable[") else Sequence
        if not isinstance(value, several) or isinstance(value, str):
            return False  # what can be gone through only once is not looked into
        return not isinstance(value, Sequence) or all(_is(each, _inner(kind)) for each in value)
    if kind.startswith("tuple["):
        return isinstance(value, tuple | list)
    if kind.startswith("Mapping["):
        return isinstance(value, Mapping)
    if _is_word(kind):
        return isinstance(value, str)
    names = {base.__name__ for base in type(value).__mro__}
    return kind.startswith(LATER) or kind.rpartition(".")[2] in names


def _is_word(kind: str) -> bool:
    return kind in WORDS or kind.startswith("Literal[")


def _inner(kind: str) -> str:
    """Return what each of several is.

    >>> _inner("Sequence[str]")
    'str'
    """
    return kind.partition("[")[2].removesuffix("]")


def _words(kind: str) -> str:
    if kind.startswith(SEVERAL):
        return f"a list, each of them {_words(_inner(kind))}"
    if kind.startswith("tuple["):
        return "a pair"
    if kind.startswith("Mapping["):
        return "a dict"
    if _is_word(kind):
        return "a word"
    return SIMPLE[kind][1] if kind in SIMPLE else kind
