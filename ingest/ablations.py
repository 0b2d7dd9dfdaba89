"""What ablations found of a run, noted in the store whenever the run is loaded or looked at again.

`Layer.smallest_kept` is the smallest strength out of the layer that is kept at the number of edges
required; null where no edges were ablated.
"""

from __future__ import annotations

from ingest.store.protocol import GraphStore
from lib_graph.ablation_tables import smallest_kept
from lib_graph.run import Run

__all__ = ["note_ablations"]

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
    found = smallest_kept(run)
    noted = {row["layer"]: row["smallest_kept"] for row in graph.execute(NOTED, {"run": run.id})}
    layers = [
        {"layer": layer, "smallest_kept": strength}
        for layer, strength in found.items()
        if noted.get(layer) != strength
    ]
    if layers:
        graph.transact(lambda tx: tx.execute(NOTE, {"run": run.id, "layers": layers}))
    return bool(layers)
