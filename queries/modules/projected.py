"""Modules by Leiden or Louvain of Graph Data Science, on a Neo4j server.

The graph, its weights and Q are those of `queries.modules.graph` and `queries.modules.modularity`.
The partition is GDS's own: both methods are heuristics, and it neither repeats Leiden nor moves
single nodes afterwards, as lib-graph does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lib_graph.errors import UsageError
from lib_graph.support import defaults
from queries.asking.places import StoredLayer
from queries.asking.projecting import WIDTH, projected
from queries.asking.reader import Reader
from queries.asking.statements import read_text
from queries.modules.chance import Partition
from queries.modules.graph import Weights, least_kept, module_features, source_layers
from queries.modules.modularity import Method, number_by_size

__all__ = ["communities_of_gds"]


def communities_of_gds(
    reader: Reader,
    layers: Sequence[StoredLayer],
    *,
    method: Method,
    weights: Weights,
    resolution: float,
    seed: int,
) -> Partition:
    """Return the modules of a run on a server that has Graph Data Science.

    A feature without edges is a module alone. Raises UsageError for a resolution or seed that its
    Louvain does not know.
    """
    if method == "louvain" and (resolution, seed) != (defaults.RESOLUTION, defaults.SEED):
        raise UsageError(
            "Louvain of Graph Data Science has neither a resolution nor a seed. Leave them out, or "
            "take 'leiden', or the engine 'own'."
        )
    features = module_features(reader)
    alone = np.arange(len(features))
    least = least_kept(reader, source_layers(reader, features, layers), weights)
    by_layer = None if least is None else {str(layer): kept for layer, kept in least.items()}
    asked = {"least": by_layer}
    edges = read_text("gds/weights")
    # Leiden's randomness is measured in weight: without the mean the scale of weights would matter
    (row,) = reader.rows(edges + read_text("gds/mean"), **asked)
    if row["mean"] is None:
        return Partition(features, alone, 0.0, 0.0)
    with projected(reader) as name:
        project = edges + read_text("gds/project")
        reader.rows(project, graph=name, width=WIDTH, unit=row["mean"], **asked)
        settings = {"resolution": resolution, "seed": seed} if method == "leiden" else {}
        (found,) = reader.rows(read_text(f"gds/{method}"), graph=name, **settings)
        (at_1,) = reader.rows(read_text("gds/modularity"), graph=name)
        rows = reader.rows(read_text("gds/modules"), graph=name)
    module = {row["place"]: row["community"] for row in rows}
    places = features["layer_index"] * WIDTH + features["index"]
    community = places.map(module).to_numpy(dtype=float)
    community = np.where(np.isnan(community), WIDTH + alone, community).astype(np.int64)
    return Partition(features, number_by_size(community), found["modularity"], at_1["modularity"])
