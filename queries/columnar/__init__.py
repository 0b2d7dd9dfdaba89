"""The same rows as Cypher texts, from the columns of an embedded store: each text has its twin.

A twin takes the columns of a run and the parameters of its text, and gives the rows of the text in
the order of the text. It reads a section at a time, and of it only the columns that it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from queries.columnar import beside, listing, neighbours, pairs, strengths, sums
from queries.columnar.graphs import graphs_with
from queries.columnar.walking import strongest_paths

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["STORE_TWINS", "TWINS", "StoreTwin", "Twin", "strongest_paths"]

Twin = Callable[..., "pd.DataFrame | None"]
StoreTwin = Callable[..., "pd.DataFrame | None"]

TWINS: Mapping[str, Twin] = {
    **{name: getattr(listing, name) for name in listing.__all__},
    **{
        f"library/{name}": getattr(module, name)
        for module in (neighbours, pairs, strengths, sums)
        for name in module.__all__
    },
}
"""Name of a text, as `read_text` takes it -> its twin, which is None where it lacks a column"""

STORE_TWINS: Mapping[str, StoreTwin] = {
    "library/graphs_with": graphs_with,
    "library/changed_interactions": beside.changed_interactions,
    "library/changed_variance": beside.changed_variance,
    "library/input_ignores": beside.input_ignores,
    "library/input_uses": beside.input_uses,
    "unusual_interactions": beside.unusual_interactions,
}
"""Of texts that ask about several runs of a store: these take the columns of all, and the run"""
