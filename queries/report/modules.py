"""The modules of a run: how good they are, what is in them, what flows between them."""

from __future__ import annotations

from lib_graph.support.view import View
from queries.modules.communities import Communities
from queries.pictures.charts import draw_modules, draw_strengths
from queries.report.blocks import Block, Chapter, Grid, Words
from queries.report.source import Source
from queries.report.svg import picture
from queries.views.modules import communities_view, module_flow_view, module_table_view

__all__ = ["modules_part"]

ROWS = 12  # of modules, and of what flows between them
KEYS = 30  # features of each layer in a picture


def modules_part(source: Source, communities: Communities) -> Chapter:
    """Return the modules that Leiden finds with √strength as weights, at resolution 1."""
    about = (
        "Groups of features that interact with each other more than by chance, found by Leiden. "
        "Modularity Q stands beside that of shuffled graphs without modules: only what is above "
        "it says something."
    )
    blocks: tuple[Block, ...] = (Words("No layer has features that could be in modules."),)
    if len(communities):
        blocks = _blocks(source, communities)
    commands = (
        source.ask("communities --seeds 10 --null 10"),
        source.ask("communities"),
        source.ask("plot modules.svg --of modules"),
        source.ask("plot strengths.svg --of strengths"),
        source.ask("communities --graph"),
    )
    return Chapter("modules", "Modules", about, blocks, commands)


def _blocks(source: Source, communities: Communities) -> tuple[Block, ...]:
    graph = source.graph
    order, first = "the most important at the top", "the most important features"
    if graph.run.prompt is not None:  # whose features have no importance
        order, first = "in their order", "features"
    found = communities_view(communities)
    sections = [section.frame for section in graph.sections()]
    flow = module_flow_view(graph.module_flow(communities))
    return (
        Grid("How good they are", module_table_view(graph.module_table())),
        Grid("What is in them", _first(found)),
        picture("modules", lambda: draw_modules(communities, limit=KEYS),
                f"Features of each layer, {order}, with their modules."),
        picture("strengths", lambda: draw_strengths(communities, sections, limit=KEYS),
                f"Strengths between {first}, ordered by module."),
        Grid("What flows between them, by share", _first(flow), folded=True),
    )  # fmt: skip


def _first(view: View) -> View:
    """Return the first rows of a view."""
    more = len(view.rows) - ROWS
    below = f"{view.below} {more} more rows." if more > 0 else view.below
    return View(view.columns, view.rows[:ROWS], view.numbers, above=view.above, below=below)
