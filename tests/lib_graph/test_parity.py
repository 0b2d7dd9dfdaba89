"""Our numbers against the graphs that the papers' authors published, seeds 0 to 2, LIB and PCA."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lib_graph.bases_file import read_bases, write_bases
from lib_graph.bases_stage import moments_of, second_moment_of
from lib_graph.basis import LayerBasis, RawBasis, lib_basis
from lib_graph.building import build
from lib_graph.job import prepare
from lib_graph.networks import load_subject
from lib_graph.options import Options
from lib_graph.progress import SILENT
from tests.data import reference_data

SECTIONS = [("ln1.0", "ln2.0"), ("ln2.0", "unembed"), ("unembed", "output")]
SEEDS = pytest.mark.parametrize("seed", range(3))
KINDS = pytest.mark.parametrize("kind", ["lib", "pca"])

pytestmark = pytest.mark.slow


def published(seed, kind):
    """Bases and strengths (source × target) as we write them.

    The published files fold the biases in: the last coordinate is the constant 1, feature 0 the
    constant feature.
    """
    file = reference_data(f"modular-addition/seed{seed}") / f"reference-{kind}.safetensors"
    tensors = load_file(file)
    bases, strengths = {"output": RawBasis(114)}, {}
    for layer, following in SECTIONS:
        rotation = tensors[f"{layer}.C"][:128, 1:].contiguous()
        importance = tensors.get(f"{layer}.Lambda")
        bases[layer] = LayerBasis(
            rotation,
            tensors[f"{layer}.C_pinv"][1:, :128].contiguous(),
            tensors[f"{layer}.mean"][:128],
            None,
            None if importance is None else importance[1:][: rotation.shape[1]],
        )
        E = tensors[f"{layer}->{following}.E"].T
        strengths[layer] = E if following == "output" else E[:, 1:]
    return bases, strengths


def subject(seed):
    return load_subject(reference_data(f"modular-addition/seed{seed}"))


def strengths_of(run, layer):
    rows = next(rows for rows in run.sections() if rows.source_layer.iloc[0] == layer)
    first = 0 if layer == "unembed" else 1
    E = np.zeros((rows.source.max() + 1, rows.target.max() + 1 - first))
    E[rows.source, rows.target - first] = rows.strength
    return torch.from_numpy(E)


@SEEDS
@KINDS
def test_strengths_in_the_published_bases(seed, kind, tmp_path):
    bases, strengths = published(seed, kind)
    write_bases(tmp_path / "bases.safetensors", bases, {})
    options = Options(basis=tmp_path / "bases.safetensors")
    run = build(subject(seed), tmp_path / "run", options)
    for layer, truth in strengths.items():
        found = strengths_of(run, layer)
        assert found.shape == truth.shape
        large = truth > 1e-6 * truth.max()
        assert (found / truth - 1)[large].abs().max() < 1e-6
        assert (found > 1e-6 * truth.max())[~large].sum() == 0


@SEEDS
def test_importances_with_the_published_next_basis(seed, tmp_path):
    bases, _ = published(seed, "lib")
    job = prepare(subject(seed), tmp_path, Options(), SILENT)
    moments = moments_of(job)
    for section in job.network.sections:
        layer = section.source.name
        moment = second_moment_of(job, section, bases[section.target.name])
        found = lib_basis(moments[layer], moment, layer, 1e-12, 1e-12).importance
        check_importance(found, bases[layer].importance, above=1e-6, tolerance=1e-8)


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


@SEEDS
@KINDS
def test_our_own_chain_of_bases(seed, kind, tmp_path):
    bases, strengths = published(seed, kind)
    run = build(subject(seed), tmp_path, Options(basis=kind))
    ours = read_bases(tmp_path / "bases.safetensors")
    for layer in ("unembed", "ln2.0"):
        if kind == "lib":
            check_importance(
                ours[layer].importance, bases[layer].importance, above=1e-6, tolerance=1e-6
            )
        check_sorted(strengths_of(run, layer), strengths[layer], largest=200, tolerance=1e-4)
    if kind == "lib":
        check_importance(
            ours["ln1.0"].importance, bases["ln1.0"].importance, above=1e-3, tolerance=1e-3
        )
        check_sorted(
            strengths_of(run, "ln1.0"), strengths["ln1.0"], largest=20, tolerance=5e-2, median=5e-3
        )
