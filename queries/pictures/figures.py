"""What all pictures share: colours that colour-blind readers tell apart, and files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from lib_graph.errors import UsageError
from lib_graph.support.files import whole_file
from lib_graph.support.texts import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["INK", "NONE", "OTHER", "PALETTE", "check_suffix", "module_colours", "save_figure"]

FORMATS = ("png", "svg", "pdf")
# Okabe and Ito's colours, told apart by colour-blind readers
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
OTHER = "#9A9A9A"
NONE = "#FFFFFF"
INK = "#222222"


def check_suffix(path: str | Path) -> str:
    """Return the format that a file's suffix says. Raises UsageError for another one."""
    suffix = Path(path).suffix.lstrip(".").lower()
    if suffix not in FORMATS:
        raise UsageError(f"{str(path)!r} has no known suffix. Write .png, .svg or .pdf.")
    return suffix


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure, the same bytes for the same figure; the suffix says PNG, SVG or PDF."""
    import matplotlib

    suffix = check_suffix(path)
    make_printable(figure)
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(suffix)
    with whole_file(Path(path)) as temporary, matplotlib.rc_context({"svg.hashsalt": "lib-graph"}):
        figure.savefig(temporary, format=suffix, dpi=200, metadata=undated)


def make_printable(figure: Figure) -> None:
    """Put a mark in place of what no file of a picture can hold, in all texts of a figure."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_text(printable(text.get_text()))


def module_colours(modules: Iterable[int]) -> dict[int, str]:
    """Return a colour for each module, by its number: the same in all pictures of a run.

    The largest modules of a run have the first numbers. There are as many colours as a reader can
    tell apart; further modules share a grey, and a feature in no module (0) is white.

    >>> module_colours([2, 7, 2, 0])
    {2: '#E69F00', 7: '#9A9A9A', 0: '#FFFFFF'}
    """
    numbers = sorted({int(module) for module in modules} - {0})
    palette = dict(enumerate(PALETTE, 1))
    return {**{number: palette.get(number, OTHER) for number in numbers}, 0: NONE}
