"""What the shell offers at a tab: what is in the store, named queries.

Only a store that is a file is looked into, as one tab must not wait for a server; and whatever goes
wrong offers nothing.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from lib_graph.support.texts import counted

__all__ = ["circuit_names", "layer_names", "query_names", "run_names"]

Pairs = Iterable[tuple[str, str]]
Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _quietly(find: Callable[[click.Context], Pairs]) -> Complete:
    """Return a completion of (what is typed, what it is), which says nothing of what goes wrong."""

    def complete(
        context: click.Context, _parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        try:
            with redirect_stderr(io.StringIO()):
                found = list(dict(find(context)).items())
        except Exception:
            return []
        return [CompletionItem(x, help=what) for x, what in found if x.startswith(incomplete)]

    return complete


def _store(context: click.Context) -> Path:
    """Return the file of the store that is meant. Raises FileNotFoundError if it is none."""
    from ingest.store.opening import DEFAULT_STORE

    named = context.params.get("store") or os.environ.get("LIB_GRAPH_STORE") or DEFAULT_STORE
    path = Path(named).expanduser()
    if not path.is_file():
        raise FileNotFoundError(named)
    return path


def _runs(context: click.Context) -> Pairs:
    from ingest.store import using_store
    from queries.asking.runs import list_runs

    with using_store(_store(context)) as store:
        for run in list_runs(store):
            yield run.name, f"{run.id}, {run.basis}"
            yield run.id, run.name


def _layers(context: click.Context) -> Pairs:
    from queries.graph import open_graph

    with open_graph(_store(context), context.params.get("run")) as graph:
        for layer in graph.layers:
            yield layer.name, counted(layer.features, "feature")


def _circuits(context: click.Context) -> Pairs:
    from queries.graph import open_graph

    with open_graph(_store(context), context.params.get("run")) as graph:
        for row in graph.circuits.table().records():
            yield row["name"], counted(row["interactions"], "interaction")


def _queries(_context: click.Context) -> Pairs:
    from queries.asking.library import queries_table

    for row in queries_table().records():
        yield row["name"], row["question"]


run_names = _quietly(_runs)
layer_names = _quietly(_layers)
circuit_names = _quietly(_circuits)
query_names = _quietly(_queries)
