"""The columns beside a store say of attribution graphs what the graph says."""

from __future__ import annotations

from pathlib import Path

import pytest

import queries
from ingest.graph_loading import load_graphs
from queries.asking.reader import Reader
from queries.asking.statements import read_text
from tests.prompts import random_graph
from tests.queries.prompts.answers import assert_alike


@pytest.mark.slow
def test_the_columns_say_what_the_graph_says(tmp_path: Path) -> None:
    list(load_graphs(random_graph(tmp_path / "graph.json"), tmp_path / "graph.kgl"))
    asked = [
        ("hubs", {}), ("label_flow", {"k": 1000}), ("layer_totals", {}), ("inhibiting", {}),
        ("bottlenecks", {}), ("best_path_through", {}), ("weak_inputs", {}), ("dead_ends", {}),
    ]  # fmt: skip
    answers = []
    for kept in (True, False):
        if not kept:
            (tmp_path / "graph.kgl.columns" / "index.json").unlink()
        with queries.open_graph(tmp_path / "graph.kgl") as graph:
            assert (graph.store.columns() is not None) == kept
            middle = [graph.features(layer=layer).frame["id"].iloc[-1] for layer in ("3", "4")]
            near = [("inputs_of", {}), ("outputs_of", {}), ("paths_through", {"k": 1000})]
            ends = {"first": middle[0], "second": middle[1]}
            about = [(name, {"feature": middle[0], **values}) for name, values in near]
            every = [*asked, *about, ("shared_inputs", ends)]
            every += [("redundant_pairs", {"layer": "3"}), ("similar_answers", {"layer": "3"})]
            found = [graph.query(name, **values).records() for name, values in every]
            assert all(found[len(asked) :])
            reader = Reader(graph.store, graph.run.id, skips=True)
            ids = sorted(row["id"] for row in graph.features().records())
            found += [reader.rows(read_text("interactions_among"), ids=ids)]
            found += [reader.rows(read_text("prompt_nodes"))]
            assert any(node["depth"] is None for node in found[-1])
            assert {type(node["number"]) for node in found[-1]} <= {int, type(None)}
            found += [[table.records() for table in graph.sections()]]
            modules = graph.communities()
            members = {each for module in modules.communities for each in module.members}
            rows = graph.cypher("MATCH (f:Feature {run: $run}) RETURN f.id AS id, f.role AS role")
            roles = {row["id"]: row["role"] for row in rows.records()}
            assert members == {each for each, role in roles.items() if role != "error"}
            assert len(members) < len(roles)
            answers.append((found, modules.records()))
    assert_alike(answers[0][1], answers[1][1])
    for one, other in zip(answers[0][0], answers[1][0], strict=True):
        assert_alike(one, other)
