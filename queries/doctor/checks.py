"""What was looked at, one thing at a time, and what that comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from lib_graph.errors import StoreUnavailableError
from queries.asking.statements import Statement

if TYPE_CHECKING:
    import pandas as pd

    from ingest.store import GraphStore

__all__ = ["REACHED", "Asking", "Check", "Checkup"]

State = Literal["ok", "lacking", "wrong"]
REACHED = "reached"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    `state` is 'lacking' where all works, but for what `costs` says, and 'wrong' where something
    does not. `command` is what to do about it: a command, a setting, or in words.
    """

    of: Literal["store", "machine"]
    name: str
    found: str
    state: State = "ok"
    costs: str = ""
    command: str = ""


@dataclass(frozen=True)
class Checkup:
    """All that was looked at, and the Cypher that ran for it."""

    checks: tuple[Check, ...]
    statements: tuple[Statement, ...] = ()

    @property
    def exit_code(self) -> int:
        """3 where the store cannot be reached, 1 where something else is wrong, else 0."""
        wrong = [check.name for check in self.checks if check.state == "wrong"]
        return StoreUnavailableError.exit_code if REACHED in wrong else int(bool(wrong))

    def json_value(self) -> list[dict[str, Any]]:
        """Return what JSON shows: a row per check."""
        return [asdict(check) for check in self.checks]

    def to_pandas(self) -> pd.DataFrame:
        """Return a row per check."""
        import pandas as pd

        return pd.DataFrame(self.json_value(), columns=list(Check.__dataclass_fields__))


class Asking:
    """A store that is asked about itself. `statements` is what ran, in that order."""

    def __init__(self, store: GraphStore) -> None:
        self.store = store
        self.statements: list[Statement] = []

    def rows(self, text: str) -> Sequence[dict[str, Any]]:
        """Return the rows of a text that only reads; raises StoreError if it is refused."""
        self.statements.append(Statement(text.strip(), {}))
        return self.store.execute(text)
