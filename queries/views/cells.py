"""Values as the cells of a table for a person: what is missing is an empty cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = [
    "count_cell",
    "fixed_cell",
    "list_cell",
    "number_cell",
    "percent_cell",
    "share_cell",
    "spread_cell",
    "text_cell",
    "value_cell",
]

SHOWN = 4  # numbers of a list


def text_cell(value: Any) -> str:
    """Return the value as text, or nothing."""
    return "" if value is None else str(value)


def count_cell(value: int | None) -> str:
    """Return 12, or nothing."""
    return text_cell(value)


def number_cell(value: float | None) -> str:
    """Return four digits that count, or nothing.

    >>> number_cell(0.000123456), number_cell(1234567.0), number_cell(None)
    ('0.0001235', '1.235e+06', '')
    """
    return "" if value is None else f"{value:.4g}"


def fixed_cell(value: float | None) -> str:
    """Return 0.123, or nothing; what would read as 0 and is not, with the digits that count.

    >>> fixed_cell(0.12345), fixed_cell(0.0), fixed_cell(0.00012), fixed_cell(None)
    ('0.123', '0.000', '0.00012', '')
    """
    if value is None:
        return ""
    return f"{value:.2g}" if 0 < abs(value) < 0.0005 else f"{value:.3f}"


def share_cell(share: float | None, places: int = 0) -> str:
    """Return 12 %, with so many places; or nothing.

    >>> share_cell(0.1234), share_cell(0.1234, 1)
    ('12%', '12.3%')
    """
    return "" if share is None else f"{share:.{places}%}"


def percent_cell(share: float | None) -> str:
    """Return a part of a whole in percent, in as many digits as it needs; – for none.

    >>> [percent_cell(x) for x in (1.0, 0.8349, 0.0123, 0.00012, 0.0, -0.5, 0.9999, None)]
    ['100 %', '83 %', '1.2 %', '0.012 %', '0 %', '-50 %', '99.99 %', '–']
    """
    if share is None:
        return "–"
    percent = 100 * share
    rounded = f"{percent:.0f}" if abs(percent) >= 10 else f"{percent:.2g}"
    if rounded in ("100", "-100") and abs(percent) < 99.995:
        rounded = f"{percent:.2f}"
    return f"{rounded} %"


def spread_cell(mean: float | None, deviation: float | None) -> str:
    """Return 0.123 ± 0.012."""
    return fixed_cell(mean) if deviation is None else f"{mean:.3f} ± {deviation:.3f}"


def list_cell(numbers: Sequence[int]) -> str:
    """Return the first few numbers of a list."""
    return " ".join(map(str, numbers[:SHOWN])) + " …" * (len(numbers) > SHOWN)


def value_cell(value: Any) -> str:
    """Return any value of an answer: numbers in four digits, of a list its values.

    >>> value_cell(0.4373333333), value_cell(['"The"', "say"]), value_cell([0.56266666, 3, None])
    ('0.4373', '"The", say', '0.5627, 3, ')
    """
    if isinstance(value, float):
        return number_cell(value)
    if isinstance(value, list | tuple):
        return ", ".join(map(value_cell, value))
    return text_cell(value)
