"""The report as a page: one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import jinja2

from lib_graph.support.texts import printable
from queries.report.blocks import Chapter

__all__ = ["render"]

TEMPLATES = Path(__file__).parent


def render(title: str, about: str, parts: Sequence[Chapter]) -> str:
    """Return a report as HTML, printable; all but the pictures' own markup is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    page = environment.get_template("page.html").render(title=title, about=about, parts=parts)
    return printable(page)
