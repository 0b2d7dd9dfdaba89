"""What ablations found of a run, noted in the store whenever the run is loaded or looked at again.

`Layer.edges_required` is the number of edges required in the section out of the layer, and
`Layer.smallest_kept` the smallest strength that is kept there; null where no edges were ablated.
"""

from __future__ import annotations

from ingest.store.protocol import GraphStore
from lib_graph.ablation_tables import edges_required, smallest_kept
from lib_graph.run import Run

__all__ = ["note_ablations"]

NOTED = """
MATCH (l:Layer {run: $run})
RETURN l.name AS layer, l.edges_required AS edges_required, l.smallest_kept AS smallest_kept
"""
NOTE = """
UNWIND $layers AS noted
MATCH (l:Layer {run: $run, name: noted.layer})
SET l.edges_required = noted.edges_required, l.smallest_kept = noted.smallest_kept
"""


def note_ablations(graph: GraphStore, run: Run) -> bool:
    """Bring what ablations found into the store, and return whether it was not there yet.

    Raises RunError if the run's ablations are of another graph.
    """
    required, kept = edges_required(run), smallest_kept(run)
    layers = []
    for noted in graph.execute(NOTED, {"run": run.id}):
        layer = noted["layer"]
        found = {
            "layer": layer,
            "edges_required": required.get(layer, noted["edges_required"]),
            "smallest_kept": kept.get(layer, noted["smallest_kept"]),
        }
        if found != noted:
            layers.append(found)
    if layers:
        graph.transact(lambda tx: tx.execute(NOTE, {"run": run.id, "layers": layers}))
    return bool(layers)
