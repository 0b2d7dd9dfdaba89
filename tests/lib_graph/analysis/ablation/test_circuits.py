"""Circuits on their own against a chain of masked sections, and the smallest that suffice."""

import pytest
import torch

from lib_graph.analysis.ablation import (
    ablate_circuit,
    ablate_edges,
    ablate_nodes,
    smallest_circuit,
)
from lib_graph.analysis.ablation.circuits import masked_score
from lib_graph.analysis.ablation.masks import edges_of
from lib_graph.errors import ConflictError, NotFoundError, UsageError
from tests.lib_graph.analysis.ablation.benches import brute, only, whole, whole_batch


@pytest.mark.slow
def test_a_circuit_with_everything_is_the_network_and_a_random_one_as_well(bench):
    score = ablate_circuit(bench, whole(bench), draws=2)
    assert score.score == pytest.approx(bench.baseline)
    assert score.random_score == pytest.approx(bench.baseline)
    assert score.edges == sum(len(own) for own in edges_of(bench.run).values())
    ends = {*bench.run.interactions.query("source > 0 or source_layer == 'none'").source_layer}
    assert score.nodes > len(ends)


@pytest.mark.slow
def test_a_circuit_against_a_chain_of_masked_sections(bench):
    circuit = only(whole(bench), whole(bench).interactions[::3])
    features = whole_batch(bench).features(bench.network.layers[0])
    kept = set(circuit.pairs())
    count = 0
    for section in bench.network.sections:
        first = [0 if bench.bases[x.name].raw else 1 for x in (section.source, section.target)]
        sizes = [bench.bases[x.name].features for x in (section.source, section.target)]
        mask = torch.zeros(*sizes, dtype=torch.bool)
        for j in range(sizes[0]):
            for i in range(sizes[1]):
                ends = (
                    f"{bench.run.id}/{section.source.name}/{j + first[0]}",
                    f"{bench.run.id}/{section.target.name}/{i + first[1]}",
                )
                mask[j, i] = ends in kept
        count += int(mask.sum())
        features = brute(bench, section, features, mask)
    score = ablate_circuit(bench, circuit, draws=1)
    assert score.edges == count
    assert score.score == pytest.approx(
        whole_batch(bench).total(bench.network.layers[-1], features).mean
    )
    assert score.score != pytest.approx(bench.baseline)


@pytest.mark.slow
def test_a_small_circuit_keeps_the_score_and_says_what_it_holds(transformer):
    delta = 0.5
    found = smallest_circuit(transformer, delta)
    score = ablate_circuit(transformer, found)
    assert score.score - transformer.baseline <= delta
    assert 0 < score.edges == len(found.interactions) < len(whole(transformer).interactions)
    assert score.nodes == len(found.features)
    assert found.scored(score.scores()).random_score == score.random_score
    read = {source for source, _ in found.pairs()}
    assert all("/output/" in target or target in read for _, target in found.pairs())
    # one interaction less than bisection found is too few
    edges = edges_of(transformer.run)
    strengths = sorted((s for own in edges.values() for s in own.table["strength"]), reverse=True)
    least = min(each.strength for each in found.interactions)
    n = strengths.index(least)
    masks = {name: own.strongest(int((own.table["strength"] > least).sum()))
             for name, own in edges.items()}  # fmt: skip
    assert sum(int(mask.sum()) for mask in masks.values()) == n
    assert masked_score(transformer, masks) - transformer.baseline > delta


@pytest.mark.slow
def test_the_features_of_a_circuit_that_is_found_are_those_of_the_run(transformer):
    found = smallest_circuit(transformer, 0.5, rank="share")
    assert found.query == {"keep_score": 0.5, "rank": "share", "metric": "cross-entropy"}
    features = transformer.run.features
    for each in found.features:
        own = features[(features["layer"] == each.layer) & (features["index"] == each.index)]
        assert own["variance"].iloc[0] == pytest.approx(each.variance)
        assert each.id == f"{transformer.run.id}/{each.layer}/{each.index}"


def circuits_gone_wrong(bench):
    good = whole(bench).interactions
    run = bench.run.id

    def last(**change):
        return [good[-1].model_copy(update=change)]

    constant = [each for each in good if each.source.endswith("/0")]
    return {
        "empty": ([], UsageError, "The circuit is empty"),
        "only constants": (constant, UsageError, "The circuit is empty"),
        "changed": (last(strength=2e9), ConflictError, "The graph has changed since"),
        "not there": (last(target=f"{run}/output/99"), ConflictError, "is not in run"),
        "not adjacent": (last(source=f"{run}/ln1.0/1"), ConflictError, "is not in run"),
        "no id": (last(source="none"), UsageError, "is not a feature id"),
    }


@pytest.mark.slow
@pytest.mark.parametrize("case", range(6))
def test_a_circuit_that_cannot_be_used_is_one_line(transformer, case):
    interactions, error, words = [*circuits_gone_wrong(transformer).values()][case]
    with pytest.raises(error, match=words):
        ablate_circuit(transformer, only(whole(transformer), interactions))


@pytest.mark.slow
def test_what_cannot_be_asked_is_one_line(transformer):
    with pytest.raises(UsageError, match="The circuit is of run 'other'"):
        ablate_circuit(transformer, whole(transformer).model_copy(update={"run": "other"}))
    with pytest.raises(UsageError, match="0 random circuits give no score"):
        ablate_circuit(transformer, whole(transformer), draws=0)
    with pytest.raises(NotFoundError, match="Rank 'lengths' not found"):
        smallest_circuit(transformer, 0.1, rank="lengths")
    with pytest.raises(UsageError, match="delta is -1"):
        smallest_circuit(transformer, -1)
    with pytest.raises(NotFoundError, match=r"Layer 'ln1' not found. Closest: 'ln1.0'"):
        ablate_nodes(transformer, layers=["ln1"])
    with pytest.raises(NotFoundError, match="Layer 'output' not found"):
        ablate_edges(transformer, layers=["output"])
    with pytest.raises(UsageError, match="0 features cannot be kept"):
        ablate_nodes(transformer, counts=[0])
