"""Answers as JSON: what was found, the Cypher that gave it, and the run that it is of.

A number that JSON does not have (NaN, ±∞) is null.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from fastapi import Response
from pydantic import BaseModel

from queries.asking.runs import RunInfo
from queries.asking.statements import Statement

__all__ = ["Answered", "Asked", "RunName", "answer", "plain"]


class RunName(BaseModel):
    """The run that an answer is of."""

    id: str
    name: str


class Asked(BaseModel):
    """A Cypher text, its parameters, and both as Neo4j Browser takes them."""

    text: str
    parameters: dict[str, Any]
    paste: str


class Answered(BaseModel):
    """What every request is answered with; `run` is null where the answer is of no single run."""

    run: RunName | None
    statements: list[Asked]
    data: Any


def answer(run: RunInfo | None, data: Any, statements: Iterable[Statement] = ()) -> Response:
    """Return what was found, as JSON."""
    content = {
        "run": None if run is None else {"id": run.id, "name": run.name},
        "statements": [
            {"text": each.text, "parameters": dict(each.parameters), "paste": each.for_browser()}
            for each in statements
        ],
        "data": data,
    }
    text = json.dumps(plain(content), allow_nan=False, separators=(",", ":"))
    return Response(text, media_type="application/json")


def plain(value: Any) -> Any:
    """Return a value as JSON has it.

    >>> plain({"a": float("nan"), "b": (1, np.float64("inf")), "c": b"x", 3: pd.NA})
    {'a': None, 'b': [1, None], 'c': 'eA==', '3': None}
    """
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    return None if value is pd.NA or value is pd.NaT else str(value)
