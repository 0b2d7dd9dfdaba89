"""What a report is made of: parts, each with blocks and the commands that give the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lib_graph.support.view import View

__all__ = ["Block", "Chapter", "Facts", "Grid", "ImageRows", "Missing", "Picture", "Words"]


@dataclass(frozen=True)
class Facts:
    """Names and values."""

    kind: ClassVar = "facts"
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Grid:
    """A table; a folded one opens at a click."""

    kind: ClassVar = "grid"
    title: str
    view: View
    folded: bool = False


@dataclass(frozen=True)
class Picture:
    """A picture. `svg` is markup that can stand in a page, beside others (`queries.report.svg`)."""

    kind: ClassVar = "picture"
    svg: str
    caption: str


@dataclass(frozen=True)
class ImageRows:
    """Rows of small images, each row with a name; an image is the bytes of a PNG, in base64."""

    kind: ClassVar = "images"
    title: str
    rows: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Words:
    """A sentence."""

    kind: ClassVar = "words"
    text: str


@dataclass(frozen=True)
class Missing:
    """What was not made, with the commands that make it."""

    kind: ClassVar = "missing"
    text: str
    commands: tuple[str, ...]


Block = Facts | Grid | Picture | ImageRows | Words | Missing


@dataclass(frozen=True)
class Chapter:
    """A part of the report. `id` is unique in it; `about` says how to read the blocks."""

    id: str
    title: str
    about: str
    blocks: tuple[Block, ...]
    commands: tuple[str, ...] = ()
