"""Ablations of small random networks against brute force, and their laws."""

from dataclasses import replace

import pytest
import torch

import lib_graph
from lib_graph.analysis.ablation import (
    Bench,
    ablate_circuit,
    ablate_edges,
    ablate_nodes,
    read_ablation,
    smallest_circuit,
    smallest_kept,
    write_ablation,
    write_masks,
)
from lib_graph.analysis.ablation.bisection import bisect
from lib_graph.analysis.ablation.circuits import masked_score
from lib_graph.analysis.ablation.masks import MaskedSection, edges_of
from lib_graph.data.evaluation import Evaluation
from lib_graph.errors import ConflictError, ModelError, NotFoundError, RunError, UsageError
from lib_graph.networks.modular_addition import answers, split
from lib_graph.run.circuit import CircuitFile, CircuitInteraction
from tests.lib_graph.nets import CONFIG, STACKED, stacked, transformer_subject

TEST = split(CONFIG)[1]


def scored(metric="cross-entropy"):
    evaluation = Evaluation("test split", (TEST,), answers(TEST, CONFIG), metric=metric)
    return replace(transformer_subject(), evaluation=evaluation)


def two_positions():
    """A network without closed forms: two positions, a norm, a layer of two tensors."""
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(30, 2, 3, generator=generator, dtype=torch.float64)
    targets = torch.randint(0, 3, (30, 2), generator=generator)
    counted = torch.rand(30, 2, generator=generator) < 0.7
    evaluation = Evaluation("random", (inputs,), targets, counted, "cross-entropy")
    subject = lib_graph.Subject("stacked", "tests", stacked(), (inputs,), "random", STACKED)
    return replace(subject, evaluation=evaluation)


SUBJECTS = {"transformer": scored, "two positions": two_positions}


@pytest.fixture(scope="module")
def benches(tmp_path_factory):
    return {
        name: bench_of(make(), tmp_path_factory.mktemp("run")) for name, make in SUBJECTS.items()
    }


@pytest.fixture(params=SUBJECTS)
def bench(request, benches):
    return benches[request.param]


@pytest.fixture
def transformer(benches):
    return benches["transformer"]


def bench_of(subject, folder):
    """In the neurons' basis, where nothing is cut: all interactions are the whole network."""
    run = lib_graph.build(subject, folder, lib_graph.Options(basis="neuron"))
    return Bench.of(run, subject=subject, dtype=torch.float64)


def whole_batch(bench):
    """All of the data at once."""
    return bench.scored(bench.network.run(*bench.evaluation.inputs))


def in_batches(bench, function, values, step=7):
    found = []
    for i in range(0, len(bench), step):
        inputs = (x[i : i + step] for x in bench.evaluation.inputs)
        found.append(function(values[i : i + step], bench.network.run(*inputs).constants))
    return torch.cat(found)


def brute(bench, section, features, mask):
    """Each target on its own: all other features at 0, through the section, into its basis."""
    basis, following = (bench.bases[x.name] for x in (section.source, section.target))
    columns = [
        following.coordinates(
            in_batches(bench, section, (features * row) @ basis.inverse + basis.origin)
        )[..., i]
        for i, row in enumerate(mask.T)
    ]
    return torch.stack(columns, -1)


@pytest.mark.slow
def test_masks_against_a_loop_over_targets(bench):
    generator = torch.Generator().manual_seed(0)
    for section in bench.network.sections:
        features = whole_batch(bench).features(section.source)
        masked = MaskedSection.of(whole_batch(bench), section, features)
        shape = features.shape[-1], bench.bases[section.target.name].features
        for share in (0.5, 0.2, 0.5, 1.0, 0.0):
            mask = torch.rand(shape, generator=generator) < share
            mask[:, :2] = mask[:, 1:2]  # two targets with one mask
            assert torch.allclose(masked(mask), brute(bench, section, features, mask), atol=1e-9)


@pytest.mark.slow
def test_all_edges_are_the_section_and_none_are_its_value_at_the_mean(bench):
    batch = whole_batch(bench)
    for section in bench.network.sections:
        features, following = batch.features(section.source), bench.bases[section.target.name]
        masked = MaskedSection.of(batch, section, features)
        mask = torch.ones(features.shape[-1], following.features, dtype=torch.bool)
        assert torch.allclose(masked(mask), batch.features(section.target), atol=1e-9)
        mean = bench.bases[section.source.name].origin.expand(*features.shape[:2], -1)
        at_mean = following.coordinates(in_batches(bench, section, mean))
        assert torch.allclose(masked(~mask), at_mean, atol=1e-9)


@pytest.mark.slow
def test_a_mask_of_the_wrong_size_is_one_line(transformer):
    section = transformer.network.sections[0]
    batch = whole_batch(transformer)
    masked = MaskedSection.of(batch, section, batch.features(section.source))
    with pytest.raises(UsageError, match=r"A mask of 2 × 3 does not fit .* they are 10 × 10"):
        masked(torch.ones(2, 3, dtype=torch.bool))


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


def whole(bench):
    """The circuit of all interactions."""
    run = bench.run
    rows = (
        CircuitInteraction(
            source=f"{run.id}/{row.source_layer}/{row.source}",
            target=f"{run.id}/{row.target_layer}/{row.target}",
            strength=row.strength,
        )
        for row in run.interactions.itertuples()
    )
    return CircuitFile(run=run.id, interactions=tuple(rows))


def only(circuit, interactions):
    return circuit.model_copy(update={"interactions": tuple(interactions)})


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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"targets": torch.rand(len(TEST))}, ModelError, "float32. Give the number of the right"),
        ({"targets": torch.zeros(3).long()}, ModelError, r"are \(3,\) torch.int64"),
        ({"targets": torch.full((len(TEST),), 8)}, ModelError, "from 8 to 8, but .* has 8 outputs"),
        ({"inputs": (TEST[:0],)}, ModelError, "is empty"),
        ({"metric": "r2"}, NotFoundError, "Metric 'r2' not found"),
    ],
)
def test_data_that_give_no_score_are_one_line(transformer, change, error, words):
    subject = replace(scored(), evaluation=replace(scored().evaluation, **change))
    with pytest.raises(error, match=words):
        Bench.of(transformer.run, subject=subject)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_network_without_labels_is_one_line(transformer, tmp_path):
    with pytest.raises(UsageError, match="has no labelled data, so neither accuracy nor"):
        Bench.of(transformer.run, subject=replace(scored(), evaluation=None))
    early = scored().with_layers(["ln1.0", "ln2.0", "unembed"])
    run = lib_graph.build(early, tmp_path, lib_graph.Options(basis="neuron"))
    with pytest.raises(UsageError, match=r"The last layer of run .* is 'unembed', not the output"):
        Bench.of(run, subject=early)


@pytest.mark.slow
def test_fewer_answers_are_an_even_selection(transformer):
    few = transformer.sampled(5)
    assert len(few) == 5
    assert few.evaluation.inputs[0][[0, -1]].equal(TEST[[0, -1]])
    assert few.evaluation.targets.equal(answers(few.evaluation.inputs[0], CONFIG))
    assert transformer.sampled(len(TEST)) is transformer


@pytest.mark.slow
def test_answers_that_do_not_count_are_not_counted_in_a_selection(transformer):
    rows = torch.arange(40).repeat_interleave(4).view(40, 4)  # three answers each
    bench = replace(transformer, evaluation=Evaluation.next_tokens("rows", rows))
    few = bench.sampled(23).evaluation
    assert few.inputs[0][:, 0].tolist() == [0, 6, 13, 20, 26, 32, 39]
    assert few.counted.sum() == 21
    assert bench.sampled(120) is bench
    assert len(bench.sampled(119)) == 39


@pytest.mark.slow
def test_results_add_up_in_the_run_folder(transformer):
    run = transformer.run
    for name in ("ablation.parquet", "masks.parquet"):
        (run.path / name).unlink(missing_ok=True)
    with pytest.raises(RunError, match=r"has no ablations"):
        read_ablation(run)
    assert smallest_kept(run) == {}
    nodes = ablate_nodes(transformer, counts=[2])
    found = ablate_edges(transformer, delta=0.05)
    for rows in (nodes, found.rows, ablate_nodes(transformer, layers=["ln2.0"], counts=[3])):
        write_ablation(transformer, rows)
    write_masks(transformer, found.masks)
    table = read_ablation(run)
    assert len(table) == len(nodes) + len(found.rows)
    curve = table[table["kind"] == "node_curve"].set_index("layer")["nodes"]
    assert curve.to_dict() == {"ln1.0": 2, "unembed": 2, "ln2.0": 3}
    least = smallest_kept(run)
    for layer, n in found.required.items():
        own = run.interactions.query("source_layer == @layer and source > 0")["strength"]
        assert least[layer] == own.sort_values(ascending=False).iloc[n - 1]
    other = Bench.of(run, subject=scored(), metric="accuracy", dtype=torch.float64)
    rows = ablate_nodes(other, counts=[1])
    with pytest.raises(ConflictError, match="they differ in metric"):
        write_ablation(other, rows)
    write_ablation(other, rows, replace=True)
    assert len(read_ablation(run)) == 3


@pytest.mark.slow
def test_circuits_of_all_sizes_stand_side_by_side(transformer):
    bench, circuit = transformer, whole(transformer)
    write_ablation(bench, ablate_nodes(bench, counts=[1]), replace=True)
    for part in (circuit, only(circuit, circuit.interactions[::2])) * 2:
        write_ablation(bench, ablate_circuit(bench, part).row(bench))
    table = read_ablation(bench.run)
    assert table["kind"].tolist() == ["node_curve"] * 3 + ["circuit"] * 2
    assert table["layer"].isna().tolist() == [False] * 3 + [True] * 2


@pytest.mark.slow
def test_results_of_another_graph_are_refused(transformer):
    write_ablation(transformer, ablate_nodes(transformer, counts=[1]), replace=True)
    changed = transformer.run.manifest.model_copy(update={"run_id": "0" * 12})
    with pytest.raises(RunError, match="of another build than that of run 000000000000"):
        read_ablation(replace(transformer.run, manifest=changed))
