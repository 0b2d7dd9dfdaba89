"""Look at a store and at this machine."""

from __future__ import annotations

from ingest.store.opening import using_store
from lib_graph.errors import StoreError
from queries.asking.statements import Statement
from queries.doctor.checks import REACHED, Asking, Check, Checkup
from queries.doctor.file import check_file
from queries.doctor.machine import check_machine
from queries.doctor.runs import check_runs, read_runs
from queries.doctor.server import check_server

__all__ = ["examine"]


def examine(store: object = None) -> Checkup:
    """Return what there is to say of a store (any that `open_store` takes) and of this machine.

    A store that cannot be reached, or fails while it is asked, is one of the things that are said.
    Raises UsageError for what is no store at all.
    """
    machine = check_machine()
    found: list[Check] = []
    statements: tuple[Statement, ...] = ()
    try:
        with using_store(store) as opened:
            asking = Asking(opened)
            runs = read_runs(asking)
            found.append(Check("store", REACHED, opened.name))
            look = check_server if opened.capabilities.kind == "neo4j" else check_file
            found += [*look(asking, runs), *check_runs(runs, opened.name)]
            statements = tuple(asking.statements)
    except StoreError as error:
        found = [_unreached(error)]
    return Checkup((*found, *machine), statements)


def _unreached(error: StoreError) -> Check:
    what, _, advice = str(error).partition(". ")
    return Check(
        "store", REACHED, "no", "wrong", f"{what.rstrip('.')}.", advice or "Look at its log."
    )
