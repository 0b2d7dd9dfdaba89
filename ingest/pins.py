"""What is pinned in an attribution graph, kept in the store as a saved circuit.

It has the features that are pinned or in a supernode, and all interactions between them, of which
there may be none. One that is there stays as it is: people go on with it.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pandas as pd

from ingest.graphs.labels import pinned_ids, supernodes
from ingest.store.protocol import GraphStore, Transaction
from lib_graph.run import Run

__all__ = ["PINNED", "note_pins"]

PINNED = "pinned"
"""The name of the circuit"""

KNOWN = "MATCH (c:Circuit {id: $id}) RETURN c.id AS id"
CREATE = """
CREATE (c:Circuit {id: $id})
SET c += $properties
WITH c
UNWIND $features AS feature
MATCH (f:Feature {id: feature})
WHERE f.run = $run
CREATE (c)-[:CONTAINS]->(f)
RETURN count(*) AS features
"""


def note_pins(graph: GraphStore, run: Run) -> bool:
    """Bring what is pinned in a run's graph into the store; return whether it was not there yet."""
    found = _circuit(run)
    if found is None:
        return False
    properties, features = found
    circuit = f"{run.id}/{PINNED}"
    if graph.execute(KNOWN, {"id": circuit}):
        return False

    def create(transaction: Transaction) -> None:
        parameters = {"run": run.id, "id": circuit, "properties": properties,
                      "features": features}  # fmt: skip
        transaction.execute(CREATE, parameters)

    graph.transact(create)
    return True


def _circuit(run: Run) -> tuple[dict[str, Any], list[str]] | None:
    """Return the properties of the circuit and its features; None where nothing is pinned."""
    prompt = run.manifest.prompt
    if prompt is None:
        return None
    groups = supernodes(prompt.view)
    wanted = {*pinned_ids(prompt.view), *(name for _, names in groups for name in names)}
    if not wanted:
        return None
    features = run.features
    names = features["node"].where(features["node"].isin(wanted), _script_ids(features))
    pinned = features[names.isin(wanted)]
    if not len(pinned):
        return None
    links = run.interactions
    links = links[links["source"].isin(pinned["index"]) & links["target"].isin(pinned["index"])]
    source, target = (
        f"{run.id}/" + links[f"{end}_layer"] + "/" + links[end].astype(str)
        for end in ("source", "target")
    )
    place = f"{run.id}/" + pinned["layer"] + "/" + pinned["index"].astype(str)
    known = dict(zip(names[pinned.index], place, strict=True))
    query = {
        "pinned": len(pinned),
        "supernodes": [
            [label, *(known[name] for name in members if name in known)]
            for label, members in groups
        ],
    }
    properties = {
        "run": run.id,
        "name": PINNED,
        "query": json.dumps(query),
        "interactions": (source + ">" + target).tolist(),
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    return properties, place.tolist()


def _script_ids(features: pd.DataFrame) -> pd.Series[Any]:
    """Return jsNodeId of each node where the file has one of its own: a view may name that."""
    return features["extra"].map(
        lambda text: json.loads(text).get("jsNodeId") if isinstance(text, str) else None
    )
