"""Changes of the parameters that are known to change no result on any input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from lib_graph.method.network import Section

__all__ = ["Gauge", "gauges_of"]


@dataclass(frozen=True)
class Gauge:
    """`directions` ways to change parameters, `name` says which, of the section after `layer`."""

    layer: str
    name: str
    directions: int


def gauges_of(sections: Sequence[Section]) -> list[Gauge]:
    """Return the gauge freedoms that kinds know of: inside sections, and between two of them."""
    within = [
        Gauge(section.source.name, name, number)
        for section in sections
        for name, number in section.kind.gauges().items()
    ]
    between = [
        Gauge(one.source.name, name, number)
        for one, two in pairwise(sections)
        if two.kind.reads_linearly
        for name, number in one.kind.output_gauges().items()
    ]
    return within + between
