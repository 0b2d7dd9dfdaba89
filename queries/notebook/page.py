"""The page of a run in a notebook, and as a file."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from lib_graph.errors import UsageError
from lib_graph.support.files import whole_file
from lib_graph.support.showing import Display, Displayed
from queries.service.saved_page import saved_page

if TYPE_CHECKING:
    from queries.graph import Graph

__all__ = ["PageView", "view_page"]


@dataclass(frozen=True, repr=False)
class PageView(Displayed):
    """A run's page as one HTML text; a notebook shows it in a frame that cannot reach anything."""

    title: str
    html: str
    height: int

    def save(self, path: str | Path) -> None:
        """Write the page as one HTML file, which needs no network."""
        with whole_file(Path(path)) as temporary:
            temporary.write_text(self.html, encoding="utf-8")

    def _display(self) -> Display:
        frame = (
            f'<iframe title="{escape(self.title)}" srcdoc="{escape(self.html)}" '
            'sandbox="allow-scripts allow-downloads" allow="fullscreen; clipboard-write" '
            f'style="width: 100%; height: {self.height}px; border: 0"></iframe>'
        )
        about = f"{self.title}: save(PATH) writes it as an HTML file"
        return Display(about, picture=lambda: frame)


def view_page(graph: Graph, *, share: float, height: int) -> PageView:
    """Return the page of a run, `share` of the strength lit at first, so many pixels high.

    Raises UsageError for a share that is none, or a height of nothing.
    """
    if height < 1:
        raise UsageError(f"The height is {height} pixels. Give a larger number.")
    if not 0 <= share <= 1:
        raise UsageError(f"The share is {share}. Give a number from 0 to 1.")
    html = saved_page(graph, graph.ranked(), graph.communities(), share=share)
    return PageView(f"The page of run {graph.run.name} ({graph.run.id})", html, height)
