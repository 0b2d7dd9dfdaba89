"""Bases that a build is given, held against the layers of its network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from lib_graph.building.options import Options
from lib_graph.building.stand_ins import check_parts, stand_ins_of
from lib_graph.cutting.asked import check_points
from lib_graph.cutting.points import shapes
from lib_graph.dictionaries.bases_file import misfit, missing, on_layers
from lib_graph.dictionaries.found import Found
from lib_graph.errors import UsageError
from lib_graph.method.basis import LayerBasis
from lib_graph.method.dictionary import Basis, Dictionary
from lib_graph.method.network import Layer
from lib_graph.method.rules import Rule
from lib_graph.networks import Subject
from lib_graph.support import defaults

__all__ = ["check_widths", "computed_as", "given_of"]


def computed_as(options: Options, found: Mapping[str, Found], layers: Sequence[str]) -> str | None:
    """Return how the bases are found that are not given, one of BASES; None if there are none.

    That is as the options name, else PCA where transcoders stand in, of what bypasses them, and LIB
    where no place is given at all.

    Raises NotFoundError if a layer has no basis, and UsageError where LIB would have to follow from
    a basis that is given, nothing is left to compute, or a rule averages along a path, on which the
    error of a transcoder is not what it is on the data.
    """
    bases, stand_ins = _bases(found), stand_ins_of(found)
    if stand_ins and len(Rule.named(options.rule, options.points).nodes) > 1:
        raise UsageError(
            f"Rule {options.rule!r} averages along a path, and the error of a transcoder is held "
            "as it is on the data. Use the rule 'gradient'."
        )
    if not bases:
        return options.computed or ("pca" if stand_ins else defaults.BASIS)
    if options.computed in ("lib", "global"):
        raise UsageError(
            f"Basis {options.computed!r} follows from the features of later layers, and cannot "
            "from those of a file. Beside a --basis LAYER=PLACE name pca or neuron."
        )
    others = [name for name in layers[:-1] if name not in bases and name not in stand_ins]
    if others and options.computed is None:
        raise missing(others[0], bases, _where(found))
    if not (others or stand_ins) and options.computed is not None:
        raise UsageError(
            f"Basis {options.computed!r} is for layers that no place is given for, and there are "
            "none. Leave it out."
        )
    return options.computed or "pca" if others or stand_ins else None


def given_of(found: Mapping[str, Found], layers: Sequence[Layer]) -> dict[str, Basis]:
    """Return the bases that are given, by layer; a last layer without one is raw. None: {}.

    Raises UsageError if a basis has not its layer's width.
    """
    bases = _bases(found)
    here = [layer for layer in layers if layer.name in bases or layer is layers[-1]]
    return on_layers(bases, here, _where(found)) if bases else {}


def check_widths(
    subject: Subject, module: nn.Module, example: Sequence[Tensor], found: Mapping[str, Found]
) -> None:
    """Raise an error for a basis that cannot be of its layer, before the network is cut.

    UsageError, if it has fewer coordinates than there are at the point, or where nothing bypasses
    that, any other number, and for a transcoder of other widths than its part's.
    """
    if not found:
        return
    check_points(module, subject.layers)
    there, bases = shapes(module, example, subject.form), _bases(found)
    exact = subject.hooks.stream
    check_parts(subject, there, found)
    for name, basis in bases.items():
        shape = there.get(subject.layers[name], ())
        width = (shape[0] if len(shape) == 3 else shape[-1]) if shape else basis.width
        if basis.width < width or (basis.width > width and subject.layers[name] in exact):
            raise misfit(name, basis, width, _where(found))


def _bases(found: Mapping[str, Found]) -> dict[str, Basis]:
    held = {name: each.holds for name, each in found.items()}
    return {name: x for name, x in held.items() if isinstance(x, LayerBasis | Dictionary)}


def _where(found: Mapping[str, Found]) -> str:
    return ", ".join(dict.fromkeys(repr(str(each.file)) for each in found.values()))
