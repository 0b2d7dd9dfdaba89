"""Texts as files and messages hold them: JSON without NaN, no character that XML cannot have."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["counted", "first_line", "json_text", "one_line", "printable"]

REPLACED = "\ufffd"
NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


def printable(text: str) -> str:
    r"""Return a text with a mark in place of every character that XML cannot or should not have.

    Those are control characters, and halves of characters alone.

    >>> printable("a\x00b\x1b[1m\ud800"), printable("tab\tline\nAustin – Δ")
    ('a�b�[1m�', 'tab\tline\nAustin – Δ')
    """
    return NOT_XML.sub(REPLACED, text)


def counted(number: int, what: str) -> str:
    """Return a number of things, with the plural unless there is one.

    >>> counted(1, "feature"), counted(3136, "interaction")
    ('1 feature', '3,136 interactions')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def one_line(text: object) -> str:
    r"""Return a message, or what an error says, as one line without the last full stop.

    >>> one_line(ValueError("no such\n  file."))
    'no such file'
    """
    return " ".join(str(text).split()).rstrip(".")


def first_line(error: BaseException) -> str:
    r"""Return the first line of what an error says, the name of its type where it says nothing.

    >>> first_line(ValueError("no such file\n  in line 3")), first_line(KeyError())
    ('no such file', 'KeyError')
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def json_text(value: Any, indent: int | None = None) -> str:
    """Return a value as JSON: NaN and infinities are null, what JSON does not know is its text.

    >>> json_text({"a": float("nan"), "b": [1.5, float("inf")]})
    '{"a": null, "b": [1.5, null]}'
    """
    return json.dumps(_finite(value), indent=indent, ensure_ascii=False, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, str | int) or value is None:
        return _whole(value) if isinstance(value, str) else value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_whole(str(key)): _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_finite(each) for each in value]
    return _whole(str(value))


def _whole(text: str) -> str:
    """Return a text that UTF-8 can hold."""
    return text.encode("utf-8", "replace").decode("utf-8") if not text.isascii() else text
