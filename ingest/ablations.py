"""What ablations found of a run, noted in the store whenever the run is loaded or looked at again.

`Run.ablations` is the table of ablation.parquet as JSON, with the metric; `Layer.smallest_kept` is
the smallest strength out of the layer that is kept at the number of edges required. Both are null
where nothing was ablated.
"""

from __future__ import annotations

import json

from ingest.store.protocol import GraphStore
from lib_graph.run import Run
from lib_graph.run.ablations import TABLE, ablation_metric, read_ablation, smallest_kept
from lib_graph.support.tables import records_of

__all__ = ["note_ablations"]

NOTED_TABLE = "MATCH (r:Run {id: $run}) RETURN r.ablations AS ablations"
NOTE_TABLE = "MATCH (r:Run {id: $run}) SET r.ablations = $ablations"
NOTED = """
MATCH (l:Layer {run: $run})
RETURN l.name AS layer, l.smallest_kept AS smallest_kept
"""
NOTE = """
UNWIND $layers AS noted
MATCH (l:Layer {run: $run, name: noted.layer})
SET l.smallest_kept = noted.smallest_kept
"""


def note_ablations(graph: GraphStore, run: Run) -> bool:
    """Bring what ablations found into the store, and return whether it was not there yet.

    Raises RunError if the run's ablations are of another graph.
    """
    return any([_note_table(graph, run), _note_smallest_kept(graph, run)])


def _note_table(graph: GraphStore, run: Run) -> bool:
    if not (run.path / TABLE).is_file():
        return False
    found = {"metric": ablation_metric(run), "rows": records_of(read_ablation(run))}
    parameters = {"run": run.id, "ablations": json.dumps(found)}
    if graph.execute(NOTED_TABLE, {"run": run.id}) == [{"ablations": parameters["ablations"]}]:
        return False
    graph.transact(lambda tx: tx.execute(NOTE_TABLE, parameters))
    return True


def _note_smallest_kept(graph: GraphStore, run: Run) -> bool:
    found = smallest_kept(run)
    if not found:
        return False
    noted = {row["layer"]: row["smallest_kept"] for row in graph.execute(NOTED, {"run": run.id})}
    layers = [
        {"layer": layer, "smallest_kept": found.get(layer)}  # null where masks are of others alone
        for layer, before in noted.items()
        if found.get(layer) != before
    ]
    if layers:
        graph.transact(lambda tx: tx.execute(NOTE, {"run": run.id, "layers": layers}))
    return bool(layers)
