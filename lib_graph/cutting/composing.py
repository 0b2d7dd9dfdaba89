"""Sections that follow each other, as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from lib_graph.kinds import PositionLocal
from lib_graph.method.kind import Kind
from lib_graph.method.network import Constants, Section

__all__ = ["compose"]


def compose(sections: Sequence[Section]) -> Section:
    """Return the section from the source of the first to the target of the last.

    What it is, two kinds next to each other say (`Kind.then`, `Kind.after`): linear maps give a
    linear map, with its closed forms. Of others it is known at most that nothing passes between
    positions.
    """
    if len(sections) == 1:
        return sections[0]

    def function(
        tensors: Sequence[Tensor], parameters: Mapping[str, Tensor], constants: Constants
    ) -> Sequence[Tensor]:
        for section in sections:
            tensors = section.function(tensors, parameters, constants)
        return tensors

    return Section(
        sections[0].source,
        sections[-1].target,
        function,
        {name: value for section in sections for name, value in section.parameters.items()},
        tuple(dict.fromkeys(name for section in sections for name in section.biases)),
        _kind([section.kind for section in sections]),
    )


def _kind(kinds: Sequence[Kind]) -> Kind:
    whole = kinds[0]
    for following in kinds[1:]:
        found = whole.then(following) or following.after(whole)
        if found is None:
            return PositionLocal() if all(kind.local for kind in kinds) else Kind()
        whole = found
    return whole
