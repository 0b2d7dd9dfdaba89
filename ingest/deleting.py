"""Take a run out of a store, in pieces, so that it can be interrupted and gone on with."""

from __future__ import annotations

from functools import partial

from ingest.pieces import PIECE_ROWS
from ingest.schema import CIRCUIT, COMMUNITY, FEATURE, LAYER
from ingest.store import using_store
from ingest.store.protocol import GraphStore, Parameters, Row, Transaction
from lib_graph.errors import NotFoundError, TransactionTooLargeError
from lib_graph.support.arguments import checked
from lib_graph.support.progress import USUAL, Progress

__all__ = ["delete", "delete_run", "discard", "staged"]

HIDE = "MATCH (r:Run {id: $run}) SET r.status = 'deleting'"
FORGET = "MATCH (c:Checkpoint {id: $run}) DELETE c"
INTERACTIONS = (
    "MATCH (:Feature {run: $run})-[i:INTERACTS|CONSTANT]->() WITH i LIMIT $limit DELETE i "
    "RETURN count(*) AS deleted"
)
NODES = "MATCH (n:%s {run: $run}) WITH n LIMIT $limit DETACH DELETE n RETURN count(*) AS deleted"
END = "MATCH (r:Run {id: $run}) DETACH DELETE r"
RUNS = "MATCH (r:Run) RETURN r.id AS id"
EVERYTHING = 2**40


def staged(run: str) -> str:
    """Return the id under which a replacement of a run waits until it is whole."""
    return f"{run}~new"


@checked
def delete(run: str, store: object = None, *, progress: Progress = USUAL) -> None:
    """Delete the run with this id from a store, and what waits to replace it.

    Readers do not see it from the first moment on. An interrupted deletion is finished by the
    same call. Raises NotFoundError if the store has no such run.
    """
    with using_store(store) as graph, graph.writing():
        known = [str(row["id"]) for row in graph.execute(RUNS)]
        if run not in known and staged(run) not in known:
            raise NotFoundError("run", run, known, "List them with 'lib-graph runs'.")
        discard(graph, run, progress)


def discard(graph: GraphStore, run: str, progress: Progress = USUAL) -> None:
    """Hide a run, then delete what waits, or has begun, to replace it, then the run itself."""
    _hide(graph, run)
    delete_run(graph, staged(run))
    delete_run(graph, run, progress)


def delete_run(graph: GraphStore, stored_as: str, progress: Progress = USUAL) -> None:
    """Delete all nodes and relationships of a run in transactions of bounded size."""
    _hide(graph, stored_as)
    tables = (CIRCUIT, COMMUNITY, FEATURE, LAYER)
    texts = [INTERACTIONS, *(NODES % table.label for table in tables)]
    with progress.stage(f"deleting {stored_as}", len(texts)) as advance:
        for text in texts:
            _until_nothing_is_left(graph, text, stored_as)
            advance(1)
    graph.transact(lambda transaction: transaction.execute(END, {"run": stored_as}))


def _hide(graph: GraphStore, stored_as: str) -> None:
    """Let readers no longer see a run, and let a process that is loading it stop."""

    def hide(transaction: Transaction) -> None:
        transaction.execute(HIDE, {"run": stored_as})
        transaction.execute(FORGET, {"run": stored_as})

    graph.transact(hide)


def _until_nothing_is_left(graph: GraphStore, text: str, stored_as: str) -> None:
    limit = EVERYTHING if graph.capabilities.atomic else PIECE_ROWS
    deleted = 1
    while deleted:
        parameters = {"run": stored_as, "limit": limit}
        delete_some = partial(_rows, text=text, parameters=parameters)
        try:
            deleted = graph.transact(delete_some)[0]["deleted"]
        except TransactionTooLargeError:
            if limit == 1:
                raise
            limit //= 2


def _rows(transaction: Transaction, *, text: str, parameters: Parameters) -> list[Row]:
    return transaction.execute(text, parameters)
