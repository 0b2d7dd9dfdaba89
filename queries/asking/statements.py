"""Cypher texts, and how they are pasted elsewhere.

Every text is a file of its own in `queries/cypher`. It reads one run, `$run`, and only if that run
is complete; it can be pasted into Neo4j Browser as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["CYPHER", "Statement", "cypher_literal", "read_text"]


CYPHER = Path(__file__).parents[1] / "cypher"


@dataclass(frozen=True)
class Statement:
    """A Cypher text and the parameters it ran with."""

    text: str
    parameters: Mapping[str, Any]

    def __str__(self) -> str:
        return self.for_browser()

    def for_browser(self) -> str:
        """Return what to paste into Neo4j Browser or cypher-shell: parameters, then the text.

        >>> print(Statement("RETURN $k AS k", {"k": 3}).for_browser())
        :param k => 3;
        RETURN $k AS k;
        """
        lines = [f":param {key} => {cypher_literal(x)};" for key, x in self.parameters.items()]
        return "\n".join([*lines, self.text.rstrip().rstrip(";") + ";"])


@cache
def read_text(name: str) -> str:
    """Return the text of `queries/cypher/NAME.cypher`.

    >>> read_text("layers").splitlines()[0]
    '// The layers of a run, from the first to the last.'
    """
    return (CYPHER / f"{name}.cypher").read_text(encoding="utf-8")


def cypher_literal(value: Any) -> str:
    """Return a parameter's value as Cypher writes it.

    >>> cypher_literal({"id": "a/b", "cost": [0.5, None, True]})
    '{`id`: "a/b", `cost`: [0.5, null, true]}'
    """
    if isinstance(value, Mapping):
        pairs = (f"`{key.replace('`', '``')}`: {cypher_literal(x)}" for key, x in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(cypher_literal, value)) + "]"
    return json.dumps(value)
