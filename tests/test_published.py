"""Our numbers against the graphs that the papers' authors published, seeds 0 to 2, LIB and PCA.

All of it is in one file so that the runs, which `lib-graph reproduce` makes, are made once.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lib_graph.analysis.ablation import Bench, ablate_nodes, read_ablation
from lib_graph.analysis.published import (
    EDGES_REQUIRED,
    MODULARITY,
    PURITY,
    SEEDS,
    WEIGHTS,
    published_bases,
)
from lib_graph.analysis.reproducing import Case, reproduced_run
from lib_graph.building.bases_stage import moments_of, second_moment_of
from lib_graph.building.job import prepare
from lib_graph.building.options import Options
from lib_graph.dictionaries.bases_file import read_bases
from lib_graph.method.basis import LayerBasis, RawBasis, lib_basis
from lib_graph.networks import load_subject
from lib_graph.support.progress import SILENT
from queries.comparing.reproduction import reproduce
from queries.modules.modularity import leiden, modularity
from queries.modules.weighted import WeightedGraph
from tests.data import reference_data
from tests.traced import traced_once

__all__ = ["traced_once"]

SECTIONS = [("ln1.0", "ln2.0"), ("ln2.0", "unembed"), ("unembed", "output")]
COUNTS = [1, 2, 3, 5, 8, 10, 13, 17, 25, 54, 129]
BASES = ("lib", "pca")

pytestmark = [pytest.mark.slow, pytest.mark.sampled]
each_seed = pytest.mark.parametrize("seed", SEEDS)
each_basis = pytest.mark.parametrize("basis", BASES)


def folder_of(seed):
    return reference_data(f"modular-addition/{seed}")


def reference(seed, basis):
    return folder_of(seed) / f"reference-{basis}.safetensors"


def published_strengths(seed, basis):
    """The strengths as we write them, source × target; published are target × source."""
    tensors = load_file(reference(seed, basis))
    return {
        layer: tensors[f"{layer}->{following}.E"].T[:, following != "output" :]
        for layer, following in SECTIONS
    }


def published_ablation(seed, basis):
    return json.loads((folder_of(seed) / f"reference-{basis}-ablation.json").read_text())


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """The folder of all runs."""
    return tmp_path_factory.mktemp("reproduced")


@pytest.fixture
def published_run(out):
    """Return the run in a published basis."""
    return lambda seed, basis: reproduced_run(
        Case(seed, folder_of(seed), basis, reference(seed, basis)), out
    )


@pytest.fixture
def own_run(out):
    """Return the run in a basis of our own."""
    return lambda seed, basis: reproduced_run(Case(seed, folder_of(seed), basis), out)


def strengths_of(run, layer):
    rows = next(rows for rows in run.sections() if rows.source_layer.iloc[0] == layer)
    first = 0 if layer == "unembed" else 1
    E = np.zeros((rows.source.max() + 1, rows.target.max() + 1 - first))
    E[rows.source, rows.target - first] = rows.strength
    return torch.from_numpy(E)


@each_seed
@each_basis
def test_strengths_in_the_published_bases(seed, basis, published_run):
    run = published_run(seed, basis)
    assert run.manifest.model.sha256 == WEIGHTS[seed]
    for layer, truth in published_strengths(seed, basis).items():
        found = strengths_of(run, layer)
        assert found.shape == truth.shape
        large = truth > 1e-6 * truth.max()
        assert (found / truth - 1)[large].abs().max() < 1e-6
        assert (found > 1e-6 * truth.max())[~large].sum() == 0


@each_seed
def test_importances_with_the_published_next_basis(seed, tmp_path):
    bases = {**published_bases(reference(seed, "lib")), "output": RawBasis(114)}
    job = prepare(load_subject(folder_of(seed)), tmp_path, Options(), SILENT)
    moments = moments_of(job)
    for section in job.network.sections:
        layer = section.source.name
        moment = second_moment_of(job, section, bases[section.target.name])
        found = lib_basis(moments[layer], moment, layer, 1e-12, 1e-12).importance
        check_importance(found, bases[layer].importance, above=1e-6, tolerance=1e-8)


@each_seed
def test_a_smaller_cut_of_ln2_brings_ln1_nearer_to_no_cut(seed, tmp_path):
    """docs/method.md §16. In exact arithmetic all 128 directions of ln2.0 vary, so K = M' there.

    No activations are whitened on the way to ln1.0, so that float64 is precise enough for it.
    """
    job = prepare(load_subject(folder_of(seed)), tmp_path / "job", Options(), SILENT)
    moments = moments_of(job)
    attention, mlp, unembed = job.network.sections

    def moment(name, section, K):
        """M' of a section for any K, in a folder of its own: passes go on where they stopped."""
        values, vectors = torch.linalg.eigh((K + K.T) / 2)
        root = vectors * values.clamp_min(0).sqrt()
        basis = LayerBasis(root, root.T, torch.zeros(128).double(), None, None)
        return second_moment_of(replace(job, out=tmp_path / name), section, basis)

    at_unembed = second_moment_of(job, unembed, RawBasis(114))
    at_ln2 = moment("ln2", mlp, at_unembed)
    values, vectors = torch.linalg.eigh(moments["ln2.0"].covariance)

    def importance(name, cut):
        kept = vectors[:, values > cut * values[-1]] if cut else torch.eye(128).double()
        P = kept @ kept.T
        at_ln1 = moment(name, attention, P @ at_ln2 @ P)
        return lib_basis(moments["ln1.0"], at_ln1, "ln1.0", 1e-12, 1e-18).importance

    truth = importance("none", None)
    count = int((truth > 1e-6 * truth[0]).sum())
    error = {
        cut: float((importance(str(cut), cut)[:count] / truth[:count] - 1).abs().max())
        for cut in (1e-12, 1e-15)
    }
    assert 1e-2 < error[1e-12] < 5e-2
    assert 5e-3 < error[1e-15] < error[1e-12] / 2


def check_importance(found, truth, *, above, tolerance):
    count = int((truth > above * truth[0]).sum())
    assert count > 5
    assert (found[:count] / truth[:count] - 1).abs().max() < tolerance


def check_sorted(found, truth, *, largest, tolerance, median=None):
    found, truth = (x.flatten().sort(descending=True)[0][:200] for x in (found, truth))
    deviation = (found / truth - 1).abs()
    assert deviation[:largest].max() < tolerance
    if median is not None:
        assert deviation.median() < median


@pytest.mark.exhaustive
@each_seed
@each_basis
def test_our_own_chain_of_bases(seed, basis, own_run):
    bases, strengths = published_bases(reference(seed, basis)), published_strengths(seed, basis)
    run = own_run(seed, basis)
    ours = read_bases(run.path / "bases.safetensors")
    for layer in ("unembed", "ln2.0"):
        if basis == "lib":
            check_importance(
                ours[layer].importance, bases[layer].importance, above=1e-6, tolerance=1e-6
            )
        check_sorted(strengths_of(run, layer), strengths[layer], largest=200, tolerance=1e-4)
    if basis == "lib":
        check_importance(
            ours["ln1.0"].importance, bases["ln1.0"].importance, above=1e-3, tolerance=1e-3
        )
        check_sorted(
            strengths_of(run, "ln1.0"), strengths["ln1.0"], largest=20, tolerance=5e-2, median=5e-3
        )


def required(run):
    rows = read_ablation(run)
    rows = rows[rows["kind"] == "edges_required"]
    return dict(zip(rows["layer"], rows["edges"], strict=True))


def check_node_curves(run, truth, within):
    rows = ablate_nodes(Bench.of(run), counts=COUNTS)
    for layer, curve in truth["node_curve"].items():
        scores = rows[rows["layer"] == layer]["score"]
        expected = [curve[str(n)] for n in COUNTS]
        assert scores.tolist() == pytest.approx(expected, abs=within)


@each_seed
@each_basis
def test_edges_required_and_all_curves_in_the_published_bases(seed, basis, published_run):
    run, truth = published_run(seed, basis), published_ablation(seed, basis)
    assert required(run) == truth["edges_required"]
    found = read_ablation(run)
    for layer, curve in truth["edge_curve"].items():
        rows = found[(found["layer"] == layer) & (found["kind"] == "edge_curve")]
        scores = dict(zip(rows["edges"], rows["score"], strict=True))
        for n, score in curve.items():
            assert scores[int(n)] == pytest.approx(score, abs=2.5e-4)
    check_node_curves(run, truth, within=2.5e-4)


@pytest.mark.exhaustive
@each_seed
@each_basis
def test_edges_required_and_node_curves_in_our_own_bases(seed, basis, own_run):
    """Within 3 %, but for one: 160 for 167, where our cut leaves 96 features of ln2.0 for 126."""
    run, truth = own_run(seed, basis), published_ablation(seed, basis)
    within = {("ln1.0", "seed0", "pca"): 0.05}
    assert required(run) == {
        layer: pytest.approx(n, rel=within.get((layer, seed, basis), 0.03))
        for layer, n in truth["edges_required"].items()
    }
    check_node_curves(run, truth, within=1e-3)


@each_basis
def test_the_figures_we_state_are_those_of_the_published_graphs(basis):
    truths = [published_ablation(seed, basis)["edges_required"] for seed in SEEDS]
    assert EDGES_REQUIRED[basis] == {
        layer: tuple(truth[layer] for truth in truths) for layer, _ in SECTIONS
    }
    found = [published_modularity(seed, basis) for seed in SEEDS]
    assert np.mean(found) == pytest.approx(MODULARITY[basis], abs=5e-4)


def published_modularity(seed, basis):
    """Q, ε being the smallest strength among the interactions that bisection tried last."""
    bases = published_bases(reference(seed, basis))
    required = published_ablation(seed, basis)["edges_required"]
    first, source, target, weight = 0, [], [], []
    for layer, _ in SECTIONS[:-1]:
        strengths = published_strengths(seed, basis)[layer][1:].double()
        least = strengths.flatten().sort(descending=True)[0][last_tried(required[layer]) - 1]
        kept = strengths > least
        i, j = kept.nonzero().T
        source.append(i + first)
        first += bases[layer].features
        target.append(j + first)
        weight.append((strengths[kept] / least).log10())
    source, target, weight = (torch.cat(part).numpy() for part in (source, target, weight))
    edges = WeightedGraph(first + bases["unembed"].features, source, target, weight)
    return modularity(edges, leiden(edges, resolution=1.0, seed=0))


def last_tried(required):
    """Return the number that a bisection which finds `required` among 129² tries last."""
    low, high = 0, 129**2
    while high - low > 1:
        middle = (low + high + 1) // 2
        low, high = (low, middle) if middle >= required else (middle, high)
    return middle


@pytest.mark.exhaustive
def test_the_table_has_our_numbers_beside_the_published_ones(out):
    """Means over the seeds: as the graphs themselves give them, and in our own bases."""
    records = reproduce(out, folder_of("seed0").parent).json_value()
    rows = {(row["quantity"], row["basis"], row["layer"]): row for row in records}
    assert len(rows) == len(records) == 2 * (3 + 1 + 3)
    for basis in BASES:
        for layer, _ in SECTIONS:
            edges = rows["edges required", basis, layer]
            assert edges["published"] == np.mean(EDGES_REQUIRED[basis][layer])
            assert edges["recomputed"] == edges["published"]
            assert edges["ours"] == pytest.approx(edges["published"], rel=0.03)
            purity = rows["purity", basis, layer]
            assert purity["published"] == PURITY[basis][layer]
            assert purity["recomputed"] == pytest.approx(purity["published"], abs=5e-3)
            assert purity["ours"] == pytest.approx(purity["published"], abs=1e-2)
        modules = rows["modularity", basis, None]
        assert modules["published"] == MODULARITY[basis]
        assert modules["recomputed"] == pytest.approx(modules["published"], abs=5e-3)
        assert modules["ours"] == pytest.approx(modules["published"], abs=1e-2)
    for row in records:
        assert row["shipped"] is not None
        assert row["ours"] == pytest.approx(np.mean([row[seed] for seed in SEEDS]))
