"""Features, interactions and circuits as files that other programs read.

    parquet, csv    a row per feature or interaction, with labels
    json            the same rows; of a circuit all of it: run, query, features, interactions
    graphml         a graph with all attributes, for Gephi, Cytoscape or networkx

Interactions go out a section at a time (GraphML apart), so a large run needs little memory.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable
from typing import IO, TYPE_CHECKING, Literal, get_args

import pandas as pd

from lib_graph.errors import UsageError
from lib_graph.run.circuit import INTERACTION_COLUMNS
from lib_graph.support import defaults
from lib_graph.support.tables import write_csv, write_json_rows, write_parquet
from queries.asking.tables import stacked
from queries.circuits.circuit import Circuit, to_networkx

if TYPE_CHECKING:
    import networkx as nx

    from queries.graph import Graph

__all__ = ["Format", "export_circuit", "export_features", "export_interactions"]

Format = Literal["parquet", "csv", "graphml", "json"]


def export_features(graph: Graph, file: IO[bytes], *, format: Format) -> None:
    """Write all features of a run; as GraphML they are nodes without edges."""
    features = graph.features().frame
    no_interactions = pd.DataFrame(columns=list(INTERACTION_COLUMNS))
    _write(file, format, [features], lambda: to_networkx(features, no_interactions))


def export_interactions(
    graph: Graph, file: IO[bytes], *, format: Format, min_strength: float = defaults.MIN_STRENGTH
) -> None:
    """Write all interactions of a run that are strong enough, those of constants among them."""
    sections = (table.frame for table in graph.sections(min_strength=min_strength))
    _write(
        file,
        format,
        sections,
        lambda: to_networkx(graph.features().frame, stacked(list(sections))),
    )


def export_circuit(circuit: Circuit, file: IO[bytes], *, format: Format) -> None:
    """Write a circuit: its interactions as rows, all of it as JSON or GraphML."""
    if format == "json":
        text = json.dumps(circuit.json_value(), indent=1, ensure_ascii=False)
        file.write(f"{text}\n".encode())
    else:
        _write(file, format, [circuit.interactions], circuit.to_networkx)


def _write(
    file: IO[bytes],
    format: Format,
    frames: Iterable[pd.DataFrame],
    graph: Callable[[], nx.DiGraph[str]],
) -> None:
    if format == "parquet":
        write_parquet(frames, file)
    elif format == "graphml":
        _write_graphml(graph(), file)
    elif format in ("csv", "json"):
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        (write_csv if format == "csv" else write_json_rows)(frames, text)
        text.flush()
        text.detach()
    else:
        raise UsageError(f"There is no format {format!r}. Take one of {get_args(Format)}.")


def _write_graphml(graph: nx.DiGraph[str], file: IO[bytes]) -> None:
    """Write a graph as GraphML."""
    import networkx as nx

    nx.write_graphml(graph, file)
