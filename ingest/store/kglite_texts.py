"""Texts that kglite runs: what comes back as plain rows, and what it raises in our own words."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import kglite

from ingest.store.protocol import TOO_LONG, WRITES, Bounds, Parameters, Row
from lib_graph.errors import StoreError
from lib_graph.support.texts import one_line

__all__ = ["column_of", "kglite_errors", "rows_of", "run_text"]

VIRTUAL = ("title", "type")  # kglite's own, beside the properties of a node
logger = logging.getLogger(__name__)


def run_text(
    cypher: Callable[..., Any],
    text: str,
    parameters: Parameters | None,
    bounds: Bounds | None = None,
) -> kglite.ResultView:
    """Return what a text gives, run by `cypher`, a method of a graph or of a session.

    Raises StoreError if kglite refuses it, and where it takes longer than its bounds.
    """
    limits: dict[str, int] = {}
    if bounds is not None:
        limits = {"timeout_ms": max(1, int(1000 * bounds.seconds)), "row_limit": bounds.rows}
    with kglite_errors(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # they are on the view, and logged below
        view: kglite.ResultView = cypher(text, params=dict(parameters or {}), **limits)
    if isinstance(view, str):
        raise StoreError("FORMAT CSV is not supported; use --csv.")
    for warning in view.warnings:
        logger.info("%s", warning)
    return view


def rows_of(view: kglite.ResultView) -> list[Row]:
    """Return the rows, nodes and relationships as dicts of their properties."""
    return [{name: _plain(value) for name, value in row.items()} for row in view.to_list()]


def column_of(values: list[Any]) -> list[Any]:
    """Return the values of a column, as `rows_of` has them."""
    return [_plain(value) for value in values] if _nested(values) else values


def _plain(value: Any) -> Any:
    """Return a node or relationship as a dict of its properties, a path as its nodes."""
    if isinstance(value, list):
        return [_plain(item) for item in value] if _nested(value) else value
    if not isinstance(value, dict):
        return value
    if value.keys() >= {"nodes", "relationships"}:
        return [_plain(node) for node in value["nodes"]]
    if value.keys() >= {"id", "properties"} and type(value["id"]) is int:
        stored = value["properties"].items()
        return {name: item for name, item in stored if name not in VIRTUAL}
    return {name: _plain(item) for name, item in value.items()}


def _nested(values: list[Any]) -> bool:
    return not {dict, list}.isdisjoint(map(type, values))


@contextmanager
def kglite_errors() -> Iterator[None]:
    """Raise StoreError for what kglite raises."""
    try:
        yield
    except kglite.ReadOnlyError as error:
        raise StoreError(WRITES) from error
    except kglite.CypherTimeoutError as error:
        raise StoreError(TOO_LONG) from error
    except (kglite.KgError, ValueError, TypeError, OverflowError) as error:
        raise StoreError(f"The store refused the text: {one_line(error)}") from error
