"""Features, interactions and circuits, written in one of the formats.

Rows go out a section at a time, so that a large run needs little memory; graphs are whole.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any

import pandas as pd

from lib_graph.run.circuit import INTERACTION_COLUMNS
from lib_graph.support import defaults
from lib_graph.support.tables import Record, write_csv, write_json_rows, write_parquet
from lib_graph.support.texts import json_text
from queries.asking.tables import stacked, typed
from queries.circuits.circuit import Circuit
from queries.export.drawn import DrawnGraph, draw
from queries.export.formats import Format, format_of
from queries.export.json_graphs import cytoscape, neuronpedia, node_link
from queries.export.prompts import prompt_graph
from queries.export.xml_graphs import write_gexf, write_graphml

if TYPE_CHECKING:
    from queries.asking.prompts import PromptGraph
    from queries.asking.runs import RunInfo
    from queries.graph import Graph

__all__ = ["export_circuit", "export_features", "export_interactions"]

ROWS = ("parquet", "csv", "json")


def export_features(graph: Graph, file: IO[bytes], *, format: Format) -> None:
    """Write all features of a run; as a graph they are nodes without edges.

    Raises NotFoundError for a format that is none.
    """
    features = graph.features().frame
    if format_of(None, format) in ROWS:
        _write_rows([features], file, format)
    else:
        _write_drawn(graph, features, _no_interactions(), file, format)


def export_interactions(
    graph: Graph, file: IO[bytes], *, format: Format, min_strength: float = defaults.MIN_STRENGTH
) -> None:
    """Write all interactions of a run that are strong enough, those of constants among them.

    Raises NotFoundError for a format that is none.
    """
    sections = _sections(graph, min_strength)
    if format_of(None, format) in ROWS:
        _write_rows(sections, file, format)
    else:
        _write_drawn(graph, graph.features().frame, stacked(list(sections)), file, format)


def _sections(graph: Graph, min_strength: float) -> Iterator[pd.DataFrame]:
    """Yield a frame for each section, or an empty one where there is no second layer."""
    if len(graph.layers) < 2:
        yield _no_interactions()
    yield from (table.frame for table in graph.sections(min_strength=min_strength))


def _no_interactions() -> pd.DataFrame:
    return typed(pd.DataFrame(columns=list(INTERACTION_COLUMNS)))


def _write_drawn(
    graph: Graph,
    features: pd.DataFrame,
    interactions: pd.DataFrame,
    file: IO[bytes],
    format: Format,
) -> None:
    if format == "neuronpedia" and (prompt := graph.prompt()) is not None:
        _write_json(prompt_graph(prompt, features["id"], interactions), file)
    else:
        _write_graph(draw(features, interactions, _about(graph.run)), file, format)


def export_circuit(
    circuit: Circuit,
    file: IO[bytes],
    *,
    format: Format,
    run: RunInfo | None = None,
    prompt: PromptGraph | None = None,
) -> None:
    """Write a circuit: its interactions as rows, all of it as JSON or a graph.

    `run` is what the store says of its run, which graphs tell; `prompt` what it says of an
    attribution graph, which Neuronpedia's JSON is written from.

    Raises NotFoundError for a format that is none.
    """
    if format_of(None, format) == "json":
        file.write(f"{json_text(circuit.json_value(), indent=1)}\n".encode())
    elif format in ROWS:
        _write_rows([circuit.interactions], file, format)
    elif format == "neuronpedia" and prompt is not None:
        _write_json(prompt_graph(prompt, circuit.features["id"], circuit.interactions), file)
    else:
        about = {"run": circuit.run, **(_about(run) if run else {}), "name": circuit.name}
        query = {key: value for key, value in circuit.query.items() if value is not None}
        about["query"] = json.dumps(query, default=str)
        _write_graph(draw(circuit.features, circuit.interactions, about), file, format)


def _about(run: RunInfo) -> Mapping[str, Any]:
    return {"run": run.id, "run_name": run.name, "model": run.model, "basis": run.basis}


def _write_rows(frames: Iterable[pd.DataFrame], file: IO[bytes], format: Format) -> None:
    if format == "parquet":
        write_parquet(frames, file)
        return
    text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
    (write_csv if format == "csv" else write_json_rows)(frames, text)
    text.flush()
    text.detach()


def _write_graph(graph: DrawnGraph, file: IO[bytes], format: Format) -> None:
    if format == "graphml":
        write_graphml(graph, file)
    elif format == "gexf":
        write_gexf(graph, file)
    else:
        make = {"cyjs": cytoscape, "node-link": node_link, "neuronpedia": neuronpedia}[format]
        _write_json(make(graph), file)


def _write_json(value: Record, file: IO[bytes]) -> None:
    file.write(f"{json_text(value, indent=1)}\n".encode())
