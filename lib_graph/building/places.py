"""Bases that a build is given, held against the layers of its network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from lib_graph.cutting.asked import check_points
from lib_graph.cutting.points import shapes
from lib_graph.dictionaries.bases_file import misfit, missing, on_layers
from lib_graph.dictionaries.found import Found
from lib_graph.method.basis import LayerBasis
from lib_graph.method.dictionary import Basis, Dictionary
from lib_graph.method.network import Layer
from lib_graph.networks import Subject

__all__ = ["check_widths", "given_of"]


def given_of(found: Mapping[str, Found], layers: Sequence[Layer]) -> dict[str, Basis]:
    """Return a basis for each of a network's layers; a last layer without one is raw.

    Raises NotFoundError if a layer has none, UsageError if a basis has not its layer's width.
    """
    return on_layers(_bases(found), layers, _where(found))


def check_widths(
    subject: Subject, module: nn.Module, example: Sequence[Tensor], found: Mapping[str, Found]
) -> None:
    """Raise an error for a basis that cannot be of its layer, before the network is cut.

    UsageError, if it has fewer coordinates than there are at the point, or where nothing bypasses
    that, any other number; NotFoundError if a layer but the last has no basis.
    """
    if not found:
        return
    check_points(module, subject.layers)
    there, bases = shapes(module, example, subject.form), _bases(found)
    exact = subject.hooks.all_points
    *others, _ = subject.layers
    for name, basis in bases.items():
        shape = there.get(subject.layers[name], ())
        width = (shape[0] if len(shape) == 3 else shape[-1]) if shape else basis.width
        if basis.width < width or (basis.width > width and subject.layers[name] in exact):
            raise misfit(name, basis, width, _where(found))
    for name in others:
        if name not in bases:
            raise missing(name, bases, _where(found))


def _bases(found: Mapping[str, Found]) -> dict[str, Basis]:
    held = {name: each.holds for name, each in found.items()}
    return {name: x for name, x in held.items() if isinstance(x, LayerBasis | Dictionary)}


def _where(found: Mapping[str, Found]) -> str:
    return ", ".join(dict.fromkeys(repr(str(each.file)) for each in found.values()))
