"""Cypher texts, and the reader that runs them and remembers what it ran.

Every text is a file of its own in `queries/cypher`. It reads one run, `$run`, and only if that run
is complete; it can be pasted into Neo4j Browser as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from ingest.store import GraphStore

__all__ = ["Reader", "Statement", "cypher_literal", "read_text"]


CYPHER = Path(__file__).parents[1] / "cypher"


@dataclass(frozen=True)
class Statement:
    """A Cypher text and the parameters it ran with."""

    text: str
    parameters: Mapping[str, Any]

    def for_browser(self) -> str:
        """Return what to paste into Neo4j Browser or cypher-shell: parameters, then the text.

        >>> print(Statement("RETURN $k AS k", {"k": 3}).for_browser())
        :param k => 3;
        RETURN $k AS k;
        """
        lines = [f":param {key} => {cypher_literal(x)};" for key, x in self.parameters.items()]
        return "\n".join([*lines, self.text.rstrip().rstrip(";") + ";"])


class Reader:
    """Runs texts on one run of a store. `statements` is what it ran, in that order."""

    def __init__(self, store: GraphStore, run: str) -> None:
        self._store = store
        self.run = run
        self._statements: list[Statement] = []

    @property
    def statements(self) -> tuple[Statement, ...]:
        """What was run so far."""
        return tuple(self._statements)

    def rows(self, text: str, **parameters: Any) -> list[dict[str, Any]]:
        """Return the rows that a text gives for this run."""
        return self._store.execute(text, self._remember(text, parameters))

    def frame(self, text: str, **parameters: Any) -> pd.DataFrame:
        """Return the table that a text gives for this run."""
        from queries.asking.tables import typed

        return typed(self._store.frame(text, self._remember(text, parameters)))

    def _remember(self, text: str, parameters: dict[str, Any]) -> dict[str, Any]:
        parameters = {"run": self.run, **parameters}
        self._statements.append(Statement(text, parameters))
        return parameters


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
