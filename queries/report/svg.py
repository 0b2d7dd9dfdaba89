"""Figures as SVG that can stand in a page beside others."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from lib_graph.errors import UsageError
from lib_graph.support.texts import printable
from queries.report.blocks import Picture, Words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["inline_svg", "picture"]

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
PIXELS = 4 / 3  # of a point
LEAST = 0.6  # of its own width: a narrower page scrolls the picture
FONTS = re.compile(r"'DejaVu Sans'[^;]*")


def picture(name: str, draw: Callable[[], Figure], caption: str) -> Picture | Words:
    """Return a picture, or the words of the UsageError that says why there is none."""
    try:
        return Picture(inline_svg(draw(), name, caption), caption)
    except UsageError as error:
        return Words(str(error))


def inline_svg(figure: Figure, name: str, alternative: str) -> str:
    """Return a figure as one <svg> element, the same for the same figure.

    Its texts are texts, in a font of the reader's; every id begins with `name`. It is at most as
    wide as the figure is.
    """
    root = ElementTree.fromstring(printable(_drawn(figure)))
    for parent, name_of_child in ((root, "metadata"), *((x, "style") for x in root)):
        for child in parent.findall(f"{{{SVG}}}{name_of_child}"):
            parent.remove(child)  # a style in a picture would be one of the whole page
    _rename(root, name)
    points = float(root.get("viewBox", "").split()[2])
    wide = round(points * PIXELS)
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.set("style", f"stroke-linejoin:round;width:{wide}px;min-width:{round(LEAST * wide)}px")
    root.set("role", "img")
    root.set("aria-label", alternative)
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    return ElementTree.tostring(root, encoding="unicode")


def _drawn(figure: Figure) -> str:
    import matplotlib

    file = io.StringIO()
    options: Any = {"svg.hashsalt": "lib-graph", "svg.fonttype": "none"}
    with matplotlib.rc_context(options), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # the reader's has it
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def _rename(root: ElementTree.Element, name: str) -> None:
    """Make ids unique by the name of the picture; drop those that nothing refers to."""
    texts = [value for element in root.iter() for value in element.attrib.values()]
    used = {found for text in texts for found in re.findall(r"^#(.+)$|url\(#([^)]+)\)", text)}
    used_ids = {one or other for one, other in used}
    for element in root.iter():
        if element.get("id") not in used_ids:
            element.attrib.pop("id", None)
        for key, value in element.attrib.items():
            if key == "id":
                value = f"{name}-{value}"
            elif key in ("href", f"{{{XLINK}}}href"):
                value = re.sub("^#", f"#{name}-", value)
            value = value.replace("url(#", f"url(#{name}-")
            element.set(
                key, FONTS.sub("'DejaVu Sans', sans-serif", value) if key == "style" else value
            )
