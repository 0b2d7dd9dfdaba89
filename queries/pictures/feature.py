"""The images on which a feature is largest, as one picture."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from lib_graph.errors import UsageError
from lib_graph.support.files import whole_file

if TYPE_CHECKING:
    from lib_graph.run.feature import Feature

__all__ = ["draw_images"]

FORMATS = ("png", "svg", "pdf")
ACROSS = 10
INCHES = 1.1  # of an image


def draw_images(feature: Feature, path: Path) -> int:
    """Draw a feature's images with the values on them, and return how many there are.

    Raises UsageError if there is none, or if the suffix of `path` is none of FORMATS.
    """
    suffix = path.suffix.lstrip(".").lower()
    if suffix not in FORMATS:
        raise UsageError(f"{str(path)!r} has no known suffix. Write .png, .svg or .pdf.")
    found = feature.examples
    images = [] if found is None else found[found.image.notna()].to_dict("records")
    if not images:
        raise UsageError(
            f"Feature '{feature.id.layer}/{feature.id.index}' has no examples that are images. "
            "'lib-graph examples RUN' makes them."
        )
    from matplotlib.figure import Figure
    from matplotlib.image import imread

    across, down = min(ACROSS, len(images)), -(-len(images) // ACROSS)
    figure = Figure(figsize=(INCHES * across, (INCHES + 0.2) * down))
    for number, row in enumerate(images, 1):
        axes = figure.add_subplot(down, across, number)
        axes.imshow(imread(io.BytesIO(row["image"])), interpolation="nearest")
        axes.set_title(f"{row['value']:.3g}", fontsize=7)
        axes.set_axis_off()
    figure.tight_layout(pad=0.3)
    with whole_file(path) as temporary:
        figure.savefig(temporary, format=suffix, dpi=200)
    return len(images)
