"""Every named query gives, on both stores, what pandas finds in the run folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import queries
from ingest.store import GraphStore
from lib_graph.run import Run
from queries.asking.library import all_queries, find_query
from queries.asking.statements import CYPHER
from tests.loaded import load_once
from tests.queries.asking.oracles import ASKED, BASE, RUN
from tests.queries.asking.oracles.world import World, from_here, tables
from tests.queries.conftest import Answer
from tests.synthetic import random_matches, random_run

Cli = Callable[..., Answer]


@pytest.fixture
def runs(store: GraphStore, tmp_path: Path) -> tuple[Run, Run]:
    """A run with its base, loaded; other bases, so that they differ everywhere."""
    base = random_run(tmp_path / "base", (6, 5, 4, 4), seed=8, run_id=BASE, name="base")
    run = random_run(tmp_path / "run", (7, 5, 4, 3), seed=5, run_id=RUN, base=BASE)
    for seed, pair in enumerate([(run, base), (base, run)]):
        random_matches(*pair, seed)
    load_once(store, base, run)
    return run, base


@pytest.mark.slow
def test_each_query_answers_as_pandas_does(store: GraphStore, runs: tuple[Run, Run]) -> None:
    graph = queries.open_graph(store, RUN)
    modules = graph.communities()
    graph.save_communities(modules)
    store.write(
        "MATCH (f:Feature {id: $f}) CREATE (c:Circuit {id: $run + '/small', run: $run, "
        "name: 'small', interactions: [$a + '>' + $f, $f + '>' + $b, $a + '>' + $b], score: 0.5, "
        "baseline: 0.75, random_score: 0.25})-[:CONTAINS]->(f)",
        {"run": RUN, "a": f"{RUN}/layer.0/1", "f": f"{RUN}/layer/1/1", "b": f"{RUN}/layer.2/11"},
    )
    own, base = (tables(run, modules.membership()) for run in runs)
    world = World(*own, *base, from_here(runs[0]))
    graphs = {"graphs_with"}  # of attribution graphs: tests/queries/prompts/test_which_graphs.py
    assert set(ASKED) | graphs == {each.name for each in all_queries()}
    for name, (parameters, oracle) in ASKED.items():
        known = {each.name for each in find_query(name).parameters}
        always = {"k": 5, "min_importance": 0.1}
        parameters = {n: value for n, value in always.items() if n in known} | parameters
        found = graph.query(name, **parameters).to_pandas()
        expected = oracle(world).reset_index(drop=True)
        assert len(expected), name
        pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-9, obj=name)


@pytest.mark.slow
def test_a_run_that_is_not_complete_is_not_read(store: GraphStore, runs: tuple[Run, Run]) -> None:
    graph = queries.open_graph(store, RUN)
    asked = [graph.query(name, **parameters) for name, (parameters, _) in ASKED.items()]
    for run in (BASE, RUN):
        store.write("MATCH (r:Run {id: $run}) SET r.status = 'deleting'", {"run": run})
        for answer in asked:
            (statement,) = answer.statements
            if run == RUN or BASE in statement.parameters.values():
                assert store.execute(statement.text, statement.parameters) == []


@pytest.mark.slow
def test_the_verbs(store: GraphStore, runs: tuple[Run, Run], store_target: str, cli: Cli) -> None:
    listed = cli("queries").out
    assert all(each.name in listed and each.question in listed for each in all_queries())
    assert cli("queries", "hubs").out == (CYPHER / "library/hubs.cypher").read_text()
    assert "Closest: 'hubs'" in cli("queries", "hups").err
    at = ("--store", store_target, "--run", RUN)
    answer = cli("query", "hubs", "--param", "layer=layer/1", "--param", "k=2", *at)
    expected = queries.open_graph(store, RUN).query("hubs", layer="layer/1", k=2).frame["feature"]
    first = [line.split()[0] for line in answer.out.splitlines()]
    assert first == ["feature", *(feature.removeprefix(f"{RUN}/") for feature in expected)]
    none = cli("query", "module_flow", *at)
    assert none.out == "No rows. Needs stored modules: lib-graph communities --write\n"
    missing = cli("query", "inputs_of", *at)
    assert (missing.code, missing.out, missing.err.count("\n")) == (2, "", 1)
    assert cli("query", "inputs_of", "--param", "feature", *at).code == 2
