"""The rooms of the code and what they import: docs/rooms.svg, and tables in docs/architecture.md.

    python -m tools.rooms

Rooms are the folders (and single files) below the three packages; ingest is drawn as two. They
stand as the linter of imports has them in pyproject.toml: whoever imports stands above.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grimp

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["PAGE", "PICTURE", "imports", "levels", "table", "with_tables"]

ROOT = Path(__file__).parents[1]
PAGE, PICTURE = ROOT / "docs" / "architecture.md", ROOT / "docs" / "rooms.svg"
PACKAGES = ("lib_graph", "ingest", "queries")
WIDTH, HEIGHT = 0.72, 0.5  # of a room
EVERYWHERE = {"lib_graph.errors", "lib_graph.support"}  # all import them: no arrow is drawn


def room(module: str) -> str | None:
    """Return the room that a module is in; None for a package's own face, and for `__main__`."""
    package, _, rest = module.partition(".")
    first = rest.partition(".")[0]
    if not first or first == "__main__":
        return None
    if package == "ingest":
        return "ingest.store" if first in ("store", "schema") else "ingest"
    return f"{package}.{first}"


def imports() -> dict[str, set[str]]:
    """Return the rooms that each room imports.

    What only types need is left out, and what the linter of imports lets through.
    """
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True)
    for contract in contracts():
        for line in contract.get("ignore_imports", ()) if contract["type"] == "layers" else ():
            for each in graph.find_matching_direct_imports(line):
                graph.remove_import(importer=each["importer"], imported=each["imported"])
    found: dict[str, set[str]] = {}
    for module in graph.modules:
        here = room(module)
        if here is not None:
            there = {room(each) for each in graph.find_modules_directly_imported_by(module)}
            found.setdefault(here, set()).update(each for each in there - {here} if each)
    return found


def levels() -> dict[str, int]:
    """Return how high each room stands: 0 is the lowest of its package."""
    found = {"ingest.store": 3, "ingest": 4}
    for contract in contracts():
        if contract["name"] in ("rooms of lib_graph", "rooms of queries"):
            (package,) = contract["containers"]
            for height, names in enumerate(reversed(contract["layers"])):
                found |= {f"{package}.{name}": height for name in re.split(r"\s*\|\s*", names)}
    return found


def contracts() -> list[dict[str, Any]]:
    """Return what the linter of imports holds the code to."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    found: list[dict[str, Any]] = settings["contracts"]
    return found


def table(package: str, found: Mapping[str, set[str]]) -> str:
    """Return the rooms of a package and what they import, the highest first, as Markdown."""
    high = levels()
    rooms = sorted(
        (r for r in found if r.partition(".")[0] == package), key=lambda r: (-high[r], r)
    )
    lines = ["| room | imports |", "|---|---|"]
    for each in rooms:
        names = (f"`{other.removeprefix(f'{package}.')}`" for other in sorted(found[each]))
        lines.append(f"| `{each.removeprefix(f'{package}.')}` | {', '.join(names) or '–'} |")
    return "\n".join(lines)


def with_tables(page: str, found: Mapping[str, set[str]]) -> str:
    """Return the page with its tables made anew."""
    for package in PACKAGES:
        marks = rf"(<!-- rooms of {package} -->\n).*?(\n<!-- /rooms -->)"
        new = table(package, found)
        page = re.sub(marks, lambda m, new=new: m[1] + new + m[2], page, flags=re.DOTALL)
    return page


def draw(found: Mapping[str, set[str]]) -> None:
    """Draw the rooms, an arrow to each room that is imported, but for those that all import."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

    matplotlib.rcParams["svg.hashsalt"] = "rooms"  # the same picture has the same bytes
    at = places(levels())
    figure, axes = pyplot.subplots(figsize=(8.6, 7.0))
    for here, others in sorted(found.items()):
        for there in sorted(others - EVERYWHERE):
            (x, y), (u, v) = at[here], at[there]
            bend = 0.0 if abs(x - u) > 0.1 else 0.28
            axes.add_patch(
                FancyArrowPatch(
                    (x, y - HEIGHT / 2), (u, v + HEIGHT / 2), arrowstyle="-|>", mutation_scale=6,
                    connectionstyle=f"arc3,rad={bend}", lw=0.6, color="#6b7280", alpha=0.5,
                )
            )  # fmt: skip
    for name, (x, y) in at.items():
        package, _, short = name.partition(".")
        color = dict(zip(PACKAGES, ("#dbeafe", "#dcfce7", "#fef3c7"), strict=True))[package]
        corner = (x - WIDTH / 2, y - HEIGHT / 2)
        axes.add_patch(
            FancyBboxPatch(corner, WIDTH, HEIGHT, boxstyle="round,pad=0.02", fc=color, ec="#374151")
        )
        axes.text(x, y, short or "loading", ha="center", va="center", fontsize=9)
    for package, x in zip(PACKAGES, (0.5, 2.1, 3.7), strict=True):
        axes.text(x, 9.75, package, ha="center", fontsize=11, fontweight="bold")
    axes.set_xlim(-0.5, 4.8)
    axes.set_ylim(-0.4, 10.1)
    axes.axis("off")
    figure.savefig(PICTURE, bbox_inches="tight", metadata={"Date": None})


def places(high: Mapping[str, int]) -> dict[str, tuple[float, float]]:
    """Return where the rooms stand: a column for each package, side by side on one level."""
    found = {}
    for name, level in high.items():
        package = name.partition(".")[0]
        beside = sorted(
            each for each, h in high.items() if h == level and each.split(".")[0] == package
        )
        x = dict(zip(PACKAGES, (0.5, 2.1, 3.7), strict=True))[package]
        shift = beside.index(name) - (len(beside) - 1) / 2
        y = (
            level
            if package == "lib_graph"
            else level + 2.6
            if package == "queries"
            else level + 1.2
        )
        found[name] = (x + 0.86 * shift, float(y))
    return found


def main() -> None:
    found = imports()
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
    draw(found)


if __name__ == "__main__":
    main()
