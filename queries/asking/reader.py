"""One run of a store, to ask Cypher texts of."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from queries.asking.places import Place, StoredLayer, find_place
from queries.asking.statements import Statement, read_text

if TYPE_CHECKING:
    import pandas as pd

    from ingest.store import GraphStore

__all__ = ["Reader"]


class Reader:
    """Runs texts on one run of a store. `statements` is what it ran, in that order."""

    def __init__(self, store: GraphStore, run: str) -> None:
        self.store = store
        self.run = run
        self._statements: list[Statement] = []

    def again(self) -> Reader:
        """Return a reader of the same run that has run nothing yet; it shares what is known."""
        reader = Reader(self.store, self.run)
        if "layers" in vars(self):
            vars(reader)["layers"] = self.layers
        return reader

    @cached_property
    def layers(self) -> tuple[StoredLayer, ...]:
        """The layers of the run, from the first to the last; not among the statements."""
        rows = self.store.execute(read_text("layers"), {"run": self.run})
        return tuple(StoredLayer(**row) for row in rows)

    @property
    def statements(self) -> tuple[Statement, ...]:
        """What was run so far."""
        return tuple(self._statements)

    def place(self, text: str) -> Place:
        """Return the place that a person means; raises what `find_place` does."""
        return find_place(text, self.layers, self.run)

    def rows(self, text: str, **parameters: Any) -> list[dict[str, Any]]:
        """Return the rows that a text gives for this run."""
        return self.store.execute(text, self._remember(text, parameters))

    def frame(self, text: str, **parameters: Any) -> pd.DataFrame:
        """Return the table that a text gives for this run."""
        from queries.asking.tables import typed

        return typed(self.store.frame(text, self._remember(text, parameters)))

    def _remember(self, text: str, parameters: dict[str, Any]) -> dict[str, Any]:
        parameters = {"run": self.run, **parameters}
        self._statements.append(Statement(text, parameters))
        return parameters
