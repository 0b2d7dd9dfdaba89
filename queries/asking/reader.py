"""One run of a store, to ask Cypher texts of.

Where the store keeps the run as columns, a text that has a twin (`queries.columnar`) is answered by
that: the rows are the same.
"""

from __future__ import annotations

from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from queries.asking.places import Place, StoredLayer, find_place
from queries.asking.statements import Statement, read_text

if TYPE_CHECKING:
    import pandas as pd

    from ingest.store import GraphStore
    from ingest.store.columns import Columns
    from queries.columnar import StoreTwin, Twin

__all__ = ["Reader"]


class Reader:
    """Runs texts on one run of a store. `statements` is what it ran, in that order.

    `skips` says that the run's interactions may skip layers.
    """

    def __init__(self, store: GraphStore, run: str, *, skips: bool = False) -> None:
        self.store = store
        self.run = run
        self.skips = skips
        self._statements: list[Statement] = []

    def again(self) -> Reader:
        """Return a reader of the same run that has run nothing yet; it shares what is known."""
        reader = Reader(self.store, self.run, skips=self.skips)
        if "layers" in vars(self):
            vars(reader)["layers"] = self.layers
        return reader

    @cached_property
    def layers(self) -> tuple[StoredLayer, ...]:
        """The layers of the run, from the first to the last; not among the statements."""
        columns = self.columns()
        rows = (
            self.store.execute(read_text("layers"), {"run": self.run})
            if columns is None
            else columns.layers
        )
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
        from queries.asking.tables import records_of

        frame = self._twin(text, parameters)
        asked = self.remember(text, parameters)
        return self.store.execute(text, asked) if frame is None else records_of(frame)

    def frame(self, text: str, **parameters: Any) -> pd.DataFrame:
        """Return the table that a text gives for this run."""
        from queries.asking.tables import typed

        frame = self._twin(text, parameters)
        asked = self.remember(text, parameters)
        return typed(self.store.frame(text, asked) if frame is None else frame)

    def columns(self) -> Columns | None:
        """Return the run as columns, None where the store has none."""
        kept = self.store.columns()
        return None if kept is None else kept.run(self.run)

    def _twin(self, text: str, parameters: dict[str, Any]) -> pd.DataFrame | None:
        """Return the rows of a text from the columns of the store; None where that cannot be."""
        kept = self.store.columns()
        if kept is None:
            return None
        if of_store := _store_twins().get(text):
            return of_store(kept, self.run, **parameters)
        columns, twin = kept.run(self.run), _twins().get(text)
        if columns is None:
            return None
        return None if twin is None else twin(columns, **parameters)

    def remember(self, text: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Note a text as one that ran, and return its parameters, `run` among them."""
        parameters = {"run": self.run, **parameters}
        self._statements.append(Statement(text, parameters))
        return parameters


@cache
def _twins() -> dict[str, Twin]:
    from queries.columnar import TWINS

    return {read_text(name): twin for name, twin in TWINS.items()}


@cache
def _store_twins() -> dict[str, StoreTwin]:
    from queries.columnar import STORE_TWINS

    return {read_text(name): twin for name, twin in STORE_TWINS.items()}
