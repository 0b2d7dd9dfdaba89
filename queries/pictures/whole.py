"""Pictures of a whole run, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from lib_graph.errors import UsageError
from lib_graph.support import defaults
from queries.pictures.ablation import draw_ablations
from queries.pictures.charts import draw_importances, draw_modules, draw_strengths

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from queries.graph import Graph

__all__ = ["Chart", "draw_run"]

Chart = Literal["importances", "modules", "strengths", "ablation"]


def draw_run(
    graph: Graph, what: str, *, limit: int = defaults.DRAWN, title: str | None = None
) -> Figure:
    """Return a picture of a whole run.

    limit: how many features of each layer are drawn; importances and ablation have all.

    Raises UsageError for a word that is no picture, and where there is nothing to draw.
    """
    if what not in get_args(Chart):
        raise UsageError(f"A run has no picture {what!r}. Take one of {get_args(Chart)}.")
    title = f"{graph.run.name}: {what}" if title is None else title
    if what == "importances":
        return draw_importances(graph.features().frame, title=title)
    if what == "ablation":
        found = graph.ablations()
        if found is None:
            raise UsageError(
                f"Nothing of run {graph.run.id} ({graph.run.name}) was ablated. Take 'lib-graph "
                "ablate FOLDER nodes' and 'edges', and 'lib-graph ingest FOLDER' again."
            )
        return draw_ablations(found, title=title)
    communities = graph.communities()
    if what == "modules":
        return draw_modules(communities, limit=limit, title=title)
    sections = [section.frame for section in graph.sections()]
    return draw_strengths(communities, sections, limit=limit, title=title)
