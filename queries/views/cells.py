"""Values as the cells of a table for a person."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["count_cell", "fixed_cell", "list_cell", "spread_cell"]

SHOWN = 4  # numbers of a list


def count_cell(value: int | None) -> str:
    """Return 12, or nothing."""
    return "" if value is None else str(value)


def fixed_cell(value: float | None) -> str:
    """Return 0.123, or nothing."""
    return "" if value is None else f"{value:.3f}"


def spread_cell(mean: float | None, deviation: float | None) -> str:
    """Return 0.123 ± 0.012."""
    return fixed_cell(mean) if deviation is None else f"{mean:.3f} ± {deviation:.3f}"


def list_cell(numbers: Sequence[int]) -> str:
    """Return the first few numbers of a list."""
    return " ".join(map(str, numbers[:SHOWN])) + " …" * (len(numbers) > SHOWN)
