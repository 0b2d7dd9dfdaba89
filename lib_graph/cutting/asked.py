"""What a person names of a module to be cut, points and biases, and what people are told of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from lib_graph.cutting.points import is_point, points
from lib_graph.cutting.traced import Course
from lib_graph.errors import NotFoundError, UsageError

__all__ = ["biases_among", "check_points", "names_of", "notes_of", "parameters_of"]


def check_points(module: nn.Module, layers: Mapping[str, str]) -> None:
    """Raise UsageError if layers are too few, NotFoundError if one is at no point of the module."""
    if len(layers) < 2:
        raise UsageError(
            f"A network needs at least two layers, not {len(layers)}. Name them (--layers); "
            "'lib-graph layers MODEL' lists what can be one."
        )
    for name, point in layers.items():
        if not is_point(module, point):
            raise NotFoundError("point", point, points(module), f"It was to be layer {name!r}.")


def parameters_of(module: nn.Module) -> dict[str, Tensor]:
    """Return all parameters of a module by all of their names."""
    return {name: value.detach() for name, value in module.named_parameters(remove_duplicate=False)}


def names_of(module: nn.Module) -> dict[str, set[str]]:
    """Return by each name of a parameter all names that it has, where weights are tied."""
    names: dict[int, set[str]] = {}
    found = list(module.named_parameters(remove_duplicate=False))
    for name, value in found:
        names.setdefault(id(value), set()).add(name)
    return {name: names[id(value)] for name, value in found}


def biases_among(names: Mapping[str, set[str]], biases: Iterable[str] | None) -> set[str]:
    """Return the names that count as biases, with all others of the same parameters: the given
    ones, or those called `bias` or `b_…`.

    Raises NotFoundError for a given one that is no parameter.
    """
    chosen = set(filter(_is_bias, names) if biases is None else biases)
    for name in chosen - set(names):
        raise NotFoundError("parameter", name, list(names), "It was to count as a bias.")
    return set().union(*(names[name] for name in chosen))


def _is_bias(name: str) -> bool:
    last = name.rsplit(".", 1)[-1]
    return last == "bias" or last.startswith("b_")


def notes_of(course: Course, changed: Iterable[str]) -> tuple[str, ...]:
    """Return what people should know of how a module was followed, a sentence each."""
    notes = []
    if course.own.own:
        names = ", ".join(sorted(course.own.own.values()))
        notes.append(
            f"The derivative of {names} is the backward that each says itself, which is not that "
            "of its forward."
        )
    if changed := sorted(set(changed)):
        notes.append(
            f"The module changes {', '.join(changed)} as it runs. That is left out: every batch "
            "finds them as they are."
        )
    return tuple(notes)
