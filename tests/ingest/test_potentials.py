"""Least costs: against the enumeration of all paths, and in the store."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

import ingest
from ingest.store import GraphStore
from tests.synthetic import random_run


def all_paths(
    edges: dict[tuple[str, str], float], start: str, layers: list[list[str]]
) -> list[float]:
    """Costs of all paths from `start` through the layers that follow, by enumeration."""
    costs = []
    for path in itertools.product([start], *layers):
        hops = list(itertools.pairwise(path))
        if all(hop in edges for hop in hops):
            costs.append(math.fsum(edges[hop] for hop in hops))
    return costs


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("density", [0.2, 0.6])
def test_potentials_are_the_least_costs_of_all_paths(
    tmp_path: Path, seed: int, density: float
) -> None:
    run = random_run(tmp_path / "run", (3, 4, 3, 2), density=density, seed=seed)
    with ingest.open_store(tmp_path / "graph.kgl") as store:
        ingest.load(run, store)
        check(store)


def test_potentials_are_the_same_on_every_store(store: GraphStore, tmp_path: Path) -> None:
    ingest.load(random_run(tmp_path / "run", (3, 4, 3, 2), density=0.3, seed=3), store)
    check(store)


def check(store: GraphStore) -> None:
    features = store.execute(
        "MATCH (f:Feature) RETURN f.id AS id, f.layer_index AS layer, f.role AS role, "
        "f.cost_from_inputs AS from, f.cost_to_outputs AS to"
    )
    edges = {
        (row["s"], row["t"]): -math.log(row["share"])
        for row in store.execute(
            "MATCH (s:Feature)-[i:INTERACTS]->(t:Feature) WHERE i.share IS NOT NULL "
            "RETURN s.id AS s, t.id AS t, i.share AS share"
        )
    }
    backwards = {(t, s): cost for (s, t), cost in edges.items()}
    last = max(row["layer"] for row in features)
    layers = [[row["id"] for row in features if row["layer"] == i] for i in range(last + 1)]
    for row in features:
        later, earlier = layers[row["layer"] + 1 :], layers[: row["layer"]][::-1]
        if row["role"] == "constant":
            assert row["from"] is row["to"] is None
            continue
        least(row["to"], all_paths(edges, row["id"], later))
        least(row["from"], all_paths(backwards, row["id"], earlier))


def least(found: float | None, costs: list[float]) -> None:
    if not costs:
        assert found is None
    else:
        assert found is not None
        np.testing.assert_allclose(found, min(costs), rtol=1e-12, atol=1e-12)
