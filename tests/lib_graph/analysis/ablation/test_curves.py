"""The scores that so many features of a layer, or interactions of a section, keep."""

from dataclasses import replace

import pytest

from lib_graph.analysis.ablation import ablate_edges, ablate_nodes
from lib_graph.analysis.ablation.bisection import bisect
from lib_graph.analysis.ablation.masks import MaskedSection, edges_of
from lib_graph.errors import UsageError
from tests.lib_graph.analysis.ablation.benches import in_batches, whole_batch


@pytest.mark.slow
def test_node_curves_against_features_set_to_their_mean(bench):
    layer = bench.network.layers[1]
    basis, features = bench.bases[layer.name], whole_batch(bench).features(layer)
    rows = ablate_nodes(bench, layers=[layer.name], counts=[1, 3, 99])
    assert rows["nodes"].tolist() == [1, 3, features.shape[-1] + 1]
    for count, score in zip(rows["nodes"], rows["score"], strict=True):
        kept = features.clone()
        kept[..., count - 1 :] = 0
        f = kept @ basis.inverse + basis.origin
        for section in bench.network.sections[1:]:
            f = in_batches(bench, section, f)
        targets, counted = bench.evaluation.targets, bench.evaluation.counted
        total = bench.metric.total(f, targets.reshape(f.shape[:2]), counted)
        assert score == pytest.approx(total.mean)
    assert rows["score"].iloc[-1] == pytest.approx(bench.baseline)
    assert rows["random_score"].iloc[-1] == pytest.approx(bench.baseline)
    assert rows["random_score"].iloc[0] == pytest.approx(rows["score"].iloc[0])
    assert set(rows["baseline"]) == {bench.baseline}


@pytest.mark.slow
def test_the_curve_of_a_layer_ends_with_all_of_it(transformer):
    rows = ablate_nodes(transformer)
    assert rows["layer"].unique().tolist() == ["ln1.0", "ln2.0", "unembed"]
    assert rows.groupby("layer")["nodes"].max().tolist() == [11, 11, 11]


@pytest.mark.slow
def test_edge_curves_and_the_number_required(bench):
    found = ablate_edges(bench, delta=0.05)
    edges = edges_of(bench.run)
    assert list(found.required) == list(edges)
    for section in bench.network.sections:
        layer = section.source.name
        batch = whole_batch(bench)
        masked = MaskedSection.of(batch, section, batch.features(section.source))
        rows = found.rows[found.rows["layer"] == layer]
        curve = rows[rows["kind"] == "edge_curve"].set_index("edges")
        required = rows[rows["kind"] == "edges_required"].iloc[0]
        for n, score in curve["score"].items():
            mask = edges[layer].strongest(int(n))
            assert int(mask.sum()) == n
            assert batch.total(section.target, masked(mask)).mean == pytest.approx(score)
        n = found.required[layer]
        assert required["delta"] == 0.05
        assert required["score"] - bench.baseline <= 0.05
        assert n in curve.index
        if n > 1:
            assert curve.loc[n - 1, "score"] - bench.baseline > 0.05
        assert {0, len(edges[layer])} <= set(curve.index)
        kept = found.masks[found.masks["source_layer"] == layer]
        own = bench.run.interactions.query("source_layer == @layer and source > 0")
        strongest = own.sort_values("strength", ascending=False).head(n)
        assert set(zip(kept["source"], kept["target"], strict=True)) == set(
            zip(strongest["source"], strongest["target"], strict=True)
        )


@pytest.mark.slow
def test_several_losses_in_one_go_are_each_on_its_own(transformer):
    one, other = (ablate_edges(transformer, delta=delta) for delta in (0.05, 0.5))
    both = ablate_edges(transformer, delta=0.05, also=[0.5])
    assert both.required == one.required
    assert both.masks.equals(one.masks)
    found = both.rows[both.rows["kind"] == "edges_required"]
    assert found[found["delta"] == 0.5]["edges"].tolist() == list(other.required.values())
    assert not both.rows.query("kind == 'edge_curve'").duplicated(["layer", "edges"]).any()


@pytest.mark.slow
def test_random_masks_are_drawn_from_the_seed(transformer):
    first, again, other = (
        ablate_edges(transformer, layers=["ln2.0"], delta=0.05, seed=seed).rows
        for seed in (0, 0, 1)
    )
    assert first.equals(again)
    assert first["score"].equals(other["score"])
    assert not first["random_score"].equals(other["random_score"])
    ends = first[first["edges"].isin([0, first["edges"].max()])]
    assert ends["random_score"].tolist() == pytest.approx(ends["score"].tolist())


@pytest.mark.parametrize("boundary", [1, 2, 37, 99, 100])
def test_bisection_finds_where_passing_begins(boundary):
    tried = []
    assert bisect(lambda n: tried.append(n) or n >= boundary, 100) == boundary
    assert len(tried) <= 7
    assert all(0 < n < 100 for n in tried)


def test_bisection_ends_where_one_passes_and_the_one_before_does_not():
    passes = {n: n % 3 == 0 for n in range(101)}
    n = bisect(passes.__getitem__, 99)
    assert passes[n]
    assert not passes[n - 1]


@pytest.mark.slow
def test_a_delta_that_not_even_all_edges_meet_says_by_how_much(transformer):
    basis = transformer.bases["unembed"]
    inverse = 3 * basis.inverse  # as wrong as a cut, and surely worse
    cut = replace(
        transformer, bases={**transformer.bases, "unembed": replace(basis, inverse=inverse)}
    )
    cut.close()  # what is known of the run's own bases
    with pytest.raises(UsageError) as error:
        ablate_edges(cut, layers=["ln2.0"], delta=0.01)
    worst = ablate_nodes(cut, layers=["unembed"], counts=[99])["score"].iloc[0]
    cut.close()
    text = str(error.value)
    assert text.startswith(
        "Not even all of the interactions out of 'ln2.0' keeps the cross-entropy"
    )
    assert f"worse by {worst - cut.baseline:.3g} than the {cut.baseline:.6g} of the" in text
