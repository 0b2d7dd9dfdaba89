"""Options that several verbs share, each with its default and its words in one place."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from lib_graph.cli.commands import in_own_process
from lib_graph.errors import UsageError
from lib_graph.support import defaults

__all__ = ["memory_option", "resources", "run_on"]

Verb = TypeVar("Verb", bound=Callable[..., Any])

RUN_ON = (
    click.option(
        "--data",
        metavar="PLACE",
        help="Of a network of your own: path.py:function that "
        "makes its data; of one trained on images: their folder.  [default: make_data beside "
        "the one, where it was trained for the other]",
    ),
    click.option(
        "--text",
        type=click.Path(path_type=Path),
        help="Of a language model: what it reads. A .txt, a .jsonl or .parquet with a column "
        "text, or .safetensors with tokens.",
    ),
    click.option(
        "--context",
        default=defaults.CONTEXT,
        show_default=True,
        help="Tokens in a row of the text.",
    ),
    click.option(
        "--tokens", default=defaults.TOKENS, show_default=True, help="Tokens to take of the text."
    ),
    click.option(
        "--padding",
        is_flag=True,
        help="Give each document of the text a row of its own, "
        "instead of joining and cutting them.",
    ),
    click.option(
        "--granularity",
        help="Of a language model: layers before attention and MLP (block), at the norms too "
        "(paper), or where transcoders of the MLPs stand in (mlp).  [default: block]",
    ),
)
"""what a network is run on"""


def memory_option(verb: Verb) -> Verb:
    """Add --memory, which the verb gets as bytes."""

    @wraps(verb)
    def wrapped(*args: Any, memory: str, **kwargs: Any) -> Any:
        from lib_graph.support.memory import parse_bytes

        return verb(*args, memory=parse_bytes(memory), **kwargs)

    return click.option(
        "--memory",
        default=f"{defaults.MEMORY >> 30}G",
        show_default=True,
        help="What each process may take.",
    )(wrapped)  # type: ignore[return-value]


def resources(verb: Verb) -> Verb:
    """Add --memory, which the verb gets as bytes, and --device: what passes over data may take."""

    @wraps(verb)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if in_own_process():
            from lib_graph.support.compiling import never_compile

            never_compile()
        return verb(*args, **kwargs)

    device = click.option(
        "--device", default=defaults.DEVICE, show_default=True, help="cpu, cuda, cuda:1 or mps."
    )
    return memory_option(device(wrapped))  # type: ignore[return-value]


def run_on(verb: Verb) -> Verb:
    """Add what a network is run on: the verb gets `data`, None, a place or a Text.

    Beside it gets the `granularity` of a language model's layers.
    """

    @wraps(verb)
    def wrapped(*args: Any, data: str | None, text: Path | None, **kwargs: Any) -> Any:
        from lib_graph.data.text import Text

        taken = {name: kwargs.pop(name) for name in ("context", "tokens", "padding")}
        if data is not None and text is not None:
            raise UsageError("A network runs on --data or on --text. Leave one out.")
        return verb(*args, data=data if text is None else Text(text, **taken), **kwargs)

    for option in reversed(RUN_ON):
        option(wrapped)
    return wrapped  # type: ignore[return-value]
