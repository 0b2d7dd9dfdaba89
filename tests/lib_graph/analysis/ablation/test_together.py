"""All sections, or all layers, at once: what is kept is what the whole network runs on."""

import pytest
import torch

from lib_graph.analysis.ablation import edges_together, nodes_together
from lib_graph.analysis.ablation.circuits import masked_score
from lib_graph.analysis.ablation.curves import RANDOM_ANSWERS
from lib_graph.analysis.ablation.masks import edges_of
from lib_graph.analysis.ablation.together import nodes_score
from lib_graph.errors import NotFoundError, UsageError
from lib_graph.support import defaults
from tests.lib_graph.analysis.ablation.benches import in_batches

DELTAS = (0.02, 0.2)


def score_of(bench, outputs):
    targets, counted = bench.evaluation.targets, bench.evaluation.counted
    return bench.metric.total(outputs, targets.reshape(outputs.shape[:2]), counted).mean


@pytest.mark.slow
def test_nodes_of_all_layers_against_a_walk_through_the_network(bench):
    """Each layer's features that are not kept are set to 0 before the next section runs."""
    layers = [layer for layer in bench.network.layers if not bench.bases[layer.name].raw]
    kept = {x.name: torch.arange(x.index % 2, x.width, 2) for x in layers}
    f = bench.network.run(*bench.evaluation.inputs).activations[0]
    for layer in layers:
        basis = bench.bases[layer.name]
        features = torch.zeros_like(f)
        features[..., kept[layer.name]] = basis.coordinates(f)[..., kept[layer.name]]
        f = features @ basis.inverse + basis.origin
        if layer.index < len(bench.network.sections):
            f = in_batches(bench, bench.network.sections[layer.index], f)
    assert nodes_score(bench, kept) == pytest.approx(score_of(bench, f))


@pytest.mark.slow
def test_the_number_of_nodes_required_is_where_the_score_gets_good_enough(bench):
    rows = nodes_together(bench, deltas=DELTAS)
    curve = rows[rows["kind"] == "node_curve"].set_index("nodes")
    required = rows[rows["kind"] == "nodes_required"].set_index("delta")["nodes"]
    layers = [layer for layer in bench.network.layers if not bench.bases[layer.name].raw]
    features = sum(bench.bases[layer.name].features for layer in layers)
    assert {len(layers), len(layers) + features} <= set(curve.index)
    assert curve["score"].loc[len(layers) + features] == pytest.approx(bench.baseline)
    for delta in DELTAS:
        n = required.loc[delta]
        assert curve.loc[n, "score"] - bench.baseline <= delta
        assert n == len(layers) + 1 or curve.loc[n - 1, "score"] - bench.baseline > delta
    assert required.is_monotonic_decreasing
    ends = curve.iloc[[0, -1]]
    assert ends["random_score"].tolist() == pytest.approx(ends["score"].tolist())


@pytest.mark.slow
@pytest.mark.parametrize("rank", ["strength", "share"])
def test_the_number_of_edges_required_is_where_the_score_gets_good_enough(bench, rank):
    rows = edges_together(bench, deltas=DELTAS, rank=rank)
    assert rows["layer"].isna().all()
    curve = rows[rows["kind"] == "edge_curve"].set_index("edges")
    required = rows[rows["kind"] == "edges_required"].set_index("delta")["edges"]
    edges = edges_of(bench.run)
    by = {name: own.table[rank].fillna(0) for name, own in edges.items()}
    for delta in DELTAS:
        n = int(required.loc[delta])
        assert curve.loc[n, "score"] - bench.baseline <= delta
        assert n == 1 or curve.loc[n - 1, "score"] - bench.baseline > delta
        least = sorted((x for values in by.values() for x in values), reverse=True)[n - 1]
        masks = {
            name: own.mask(torch.from_numpy((by[name] >= least).to_numpy().nonzero()[0]))
            for name, own in edges.items()
        }
        if sum(int(mask.sum()) for mask in masks.values()) == n:  # no ties at the last
            assert masked_score(bench, masks) == pytest.approx(curve.loc[n, "score"])


@pytest.mark.slow
def test_random_edges_are_as_many_in_each_section_and_others(bench):
    curve = edges_together(bench, deltas=DELTAS).query("kind == 'edge_curve'").set_index("edges")
    edges, sampled = edges_of(bench.run), bench.sampled(RANDOM_ANSWERS)
    generator = torch.Generator().manual_seed(defaults.SEED)
    orders = {name: torch.randperm(len(own), generator=generator) for name, own in edges.items()}
    strengths = [(x, name) for name, own in edges.items() for x in own.table["strength"]]
    first = [name for _, name in sorted(strengths, key=lambda pair: -pair[0])]
    apart = 0
    for n, row in curve.iterrows():
        drawn = {name: orders[name][: first[:n].count(name)] for name in edges}
        masks = {name: own.mask(drawn[name]) for name, own in edges.items()}
        assert row["random_score"] == pytest.approx(masked_score(sampled, masks))
        apart += row["random_score"] != pytest.approx(row["score"], rel=1e-3)
    assert apart


@pytest.mark.slow
def test_random_nodes_are_as_many_in_each_layer_and_others(bench):
    curve = nodes_together(bench, deltas=DELTAS).query("kind == 'node_curve'").set_index("nodes")
    layers = [layer for layer in bench.network.layers if not bench.bases[layer.name].raw]
    generator = torch.Generator().manual_seed(defaults.SEED)
    importance = {layer.name: bench.bases[layer.name].importance for layer in layers}
    orders = {name: torch.randperm(len(x), generator=generator) for name, x in importance.items()}
    shares = [(float(x / each.sum()), name) for name, each in importance.items() for x in each]
    first = [name for _, name in sorted(shares, key=lambda pair: -pair[0])]
    sampled, apart = bench.sampled(RANDOM_ANSWERS), 0
    for n, row in curve.iterrows():
        sizes = {name: first[: n - len(layers)].count(name) for name in orders}
        kept = {name: orders[name][:size].sort().values for name, size in sizes.items()}
        assert row["random_score"] == pytest.approx(nodes_score(sampled, kept))
        apart += row["random_score"] != pytest.approx(row["score"], rel=1e-3)
    assert apart


@pytest.mark.slow
def test_what_cannot_be_met_or_ranked_is_one_line(bench):
    with pytest.raises(UsageError, match="delta is nan"):
        edges_together(bench, deltas=(float("nan"),))
    with pytest.raises(NotFoundError, match="Rank 'size' not found"):
        edges_together(bench, rank="size")
