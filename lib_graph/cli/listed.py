"""Options that are lists: by commas on the command line, lists in a JSON file."""

from __future__ import annotations

from typing import Any

import click

__all__ = ["LISTED", "Listed"]


class Listed(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """Words by commas, or from JSON a list of words, or of pairs that become NAME=VALUE.

    >>> LISTED("0:in, output"), LISTED([["a,b", "0:in"]])
    (('0:in', 'output'), ('a,b=0:in',))
    """

    name = "text"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the words."""
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return tuple(word if isinstance(word, str) else "=".join(word) for word in value)


LISTED = Listed()
