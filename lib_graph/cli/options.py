"""Options that several verbs share, each with its default and its words in one place."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from lib_graph.support import defaults

__all__ = ["resources"]

Verb = TypeVar("Verb", bound=Callable[..., Any])


def resources(verb: Verb) -> Verb:
    """Add --memory, which the verb gets as bytes, and --device: what passes over data may take."""

    @wraps(verb)
    def wrapped(*args: Any, memory: str, **kwargs: Any) -> Any:
        from lib_graph.support.memory import parse_bytes

        return verb(*args, memory=parse_bytes(memory), **kwargs)

    shown: dict[str, Any] = {"show_default": True}
    for option in (
        click.option(
            "--device", default=defaults.DEVICE, help="cpu, cuda, cuda:1 or mps.", **shown
        ),
        click.option(
            "--memory",
            default=f"{defaults.MEMORY >> 30}G",
            help="What each process may take.",
            **shown,
        ),
    ):
        option(wrapped)
    return wrapped  # type: ignore[return-value]
