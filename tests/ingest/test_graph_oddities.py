"""Graphs as circuit-tracer writes them with unusual settings, and numbers as texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.ingest.test_graph_files import run_of, small


def links_of(graph: dict[str, Any]) -> set[tuple[str, str, float]]:
    return {(link["source"], link["target"], link["weight"]) for link in graph["links"]}


def test_with_nothing_pruned_all_pairs_are_there_with_weight_0(tmp_path: Path) -> None:
    """With edge_threshold 1 circuit-tracer writes each pair of nodes, also back and to itself."""
    graph, whole = small(), small()
    real = {(source, target) for source, target, _ in links_of(graph)}
    names = [node["node_id"] for node in graph["nodes"]]
    whole["links"] += [
        {"source": source, "target": target, "weight": 0.0}
        for source in names for target in names if (source, target) not in real
    ]  # fmt: skip
    run, again = run_of(graph, tmp_path / "pruned"), run_of(whole, tmp_path / "whole")
    assert again.manifest.notes == ("19 links of weight 0 are left out",)
    assert again.id == run.id
    assert [layer.name for layer in again.layers] == ["E", "0", "2", "logits"]
    assert again.interactions.equals(run.interactions)


def test_a_graph_of_which_nothing_is_left_is_its_nodes(tmp_path: Path) -> None:
    """Embeddings and logits are written whatever is pruned."""
    graph = small()
    graph["nodes"] = [n for n in graph["nodes"] if n["feature_type"] in ("embedding", "logit")]
    run = run_of({**graph, "links": []}, tmp_path / "empty")
    assert [layer.name for layer in run.layers] == ["E", "logits"]
    assert (len(run.features), len(run.interactions)) == (2, 0)


def test_one_token_and_no_logit(tmp_path: Path) -> None:
    graph = small()
    graph["metadata"]["prompt_tokens"] = ["a"]
    graph["nodes"] = [{**node, "ctx_idx": 0} for node in graph["nodes"][:3]]
    graph["links"] = graph["links"][:3]
    run = run_of(graph, tmp_path / "one")
    assert [layer.name for layer in run.layers] == ["E", "0", "2"]
    assert set(run.interactions["effect"]) == {2.0, -1.0, 3.0}


def test_numbers_as_texts(tmp_path: Path) -> None:
    """Frontends take "5" as 5; so the graph is the same."""
    graph, said = small(), small()
    for node in said["nodes"]:
        node["ctx_idx"] = str(node["ctx_idx"])
        if node["feature"] is not None and node["feature"] >= 0:
            node["feature"] = str(node["feature"])
    run, again = run_of(graph, tmp_path / "numbers"), run_of(said, tmp_path / "texts")
    assert again.id == run.id
    assert list(again.features["number"].dropna()) == list(run.features["number"].dropna())
