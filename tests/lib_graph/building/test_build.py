"""A whole build of a small random transformer: laws, resuming, and what goes wrong."""

import dataclasses
import json
from contextlib import nullcontext
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from lib_graph.building.build import build
from lib_graph.building.options import Options
from lib_graph.dictionaries.bases_file import read_bases, write_bases
from lib_graph.errors import ConflictError, ModelError, NotFoundError, RunError, UsageError
from lib_graph.networks.subject import Subject
from lib_graph.run import Run
from lib_graph.run.schema import DATA_FILES
from lib_graph.support.files import locked
from tests.ablated import ablate
from tests.lib_graph.nets import random_, transformer_subject

SUBJECT = transformer_subject()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return build(SUBJECT, tmp_path_factory.mktemp("run") / "lib")


def strengths(run):
    keys = ["source_layer", "source", "target"]
    return run.interactions.set_index(keys).strength.sort_index()


def close(run, other, tolerance):
    """Whether the strengths of two runs differ by less than a share of the largest."""
    first, second = strengths(run), strengths(other)
    first, second = first.align(second, fill_value=0.0)
    return (first - second).abs().max() < tolerance * first.max()


@pytest.mark.slow
def test_a_run_holds_every_pair_of_features(run):
    counts = [layer.features for layer in run.layers]
    expected = [(a + 1) * b for a, b in pairwise(counts)]
    assert [len(rows) for rows in run.sections()] == expected
    assert [layer.kind for layer in run.layers] == ["basis", "basis", "basis", "raw"]
    assert Run.open(run.path).manifest == run.manifest


@pytest.mark.slow
def test_roles_and_indices(run):
    for layer in run.layers:
        rows = run.features[run.features.layer == layer.name]
        assert rows["index"].tolist() == list(range(layer.first_index + layer.features))
        assert rows.role.iloc[0] == ("output" if layer.kind == "raw" else "constant")
        assert (rows.importance.isna() == (rows.role != "feature")).all()
    features = run.features[run.features.role == "feature"]
    assert np.allclose(features.variance, features.importance, rtol=1e-6)


@pytest.mark.slow
def test_shares_into_a_target_sum_to_one_without_the_constant(run):
    rows = run.interactions
    assert rows.share[rows.source == 0].isna().all()
    sums = rows[rows.source > 0].groupby(["target_layer", "target"]).share.sum()
    assert np.allclose(sums, 1)


@pytest.mark.slow
def test_the_manifest_counts_the_model_and_the_data(run):
    (tokens,) = SUBJECT.inputs
    manifest = run.manifest
    assert (manifest.data.samples, manifest.data.positions) == (len(tokens), 3 * len(tokens))
    assert manifest.model.parameters == sum(p.numel() for p in SUBJECT.module.parameters())
    assert [layer.positions for layer in run.layers] == [3, 1, 1, 1]
    eigenvalues = read_bases(run.path / "bases.safetensors")
    for layer in run.layers[:-1]:
        assert layer.pca_rank == len(eigenvalues[layer.name].pca_eigenvalues)


@pytest.mark.slow
def test_checks_are_recorded(run):
    checks = run.manifest.checks
    assert checks["chain_error"] < 1e-12
    assert checks["kind_error"] < 1e-12
    assert checks["identity_error"] < 1e-6


@pytest.mark.slow
def test_the_same_build_has_the_same_id_and_bytes(run, tmp_path):
    again = build(SUBJECT, tmp_path)
    assert again.id == run.id
    assert again.manifest.files == run.manifest.files


@pytest.mark.slow
def test_other_weights_data_or_options_have_another_id(run, tmp_path):
    (tokens,) = SUBJECT.inputs
    others = [
        build(transformer_subject(seed=1), tmp_path / "weights"),
        build(dataclasses.replace(SUBJECT, inputs=(tokens[1:],)), tmp_path / "data"),
        build(SUBJECT, tmp_path / "options", Options(tau_lib=1e-6)),
    ]
    assert len({run.id, *(other.id for other in others)}) == 4


@pytest.mark.slow
def test_closed_forms_change_nothing(run, tmp_path):
    plain = build(dataclasses.replace(SUBJECT, kinds=None), tmp_path)
    assert close(run, plain, 1e-8)


@pytest.mark.slow
def test_memory_changes_nothing_but_rounding(run, tmp_path):
    small = build(SUBJECT, tmp_path, Options(memory=(512 << 20) + 200_000))
    assert small.id == run.id
    assert close(run, small, 1e-8)


@pytest.mark.slow
def test_too_little_memory_says_how_much_is_needed(tmp_path):
    with pytest.raises(UsageError, match=r"needs at least 5\d\d MiB.*--memory"):
        build(SUBJECT, tmp_path / "run", Options(memory=512 << 20))


@pytest.mark.slow
def test_float32_is_close_to_float64(run, tmp_path):
    single = build(SUBJECT, tmp_path, Options(dtype="float32", basis=run.path))
    assert close(run, single, 1e-4)
    assert not close(run, single, 1e-12)


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("basis", ["pca", "neuron"])
def test_other_bases(basis, tmp_path):
    found = build(SUBJECT, tmp_path, Options(basis=basis))
    rows = found.features[found.features.role == "feature"]
    assert np.allclose(rows.importance, rows.variance)
    if basis == "neuron":
        assert all(layer.features == layer.width for layer in found.layers)


@pytest.mark.slow
def test_a_last_layer_in_its_pca_basis(tmp_path):
    found = build(SUBJECT, tmp_path, Options(last="pca"))
    assert found.layers[-1].kind == "basis"
    assert "output.rotation" in "".join(
        f"{k}.rotation" for k in read_bases(tmp_path / "bases.safetensors")
    )


@pytest.mark.slow
def test_given_bases_of_a_run_give_its_interactions(run, tmp_path):
    given = build(SUBJECT, tmp_path, Options(basis=run.path))
    assert given.id != run.id
    assert given.manifest.basis == "given"
    assert close(run, given, 1e-12)


@pytest.mark.slow
def test_given_bases_must_fit(run, tmp_path):
    bases = read_bases(run.path / "bases.safetensors")
    some = {name: basis for name, basis in bases.items() if name != "ln2.0"}
    write_bases(tmp_path / "some.safetensors", some, {})
    with pytest.raises(NotFoundError, match=r"'ln2\.0' not found"):
        build(SUBJECT, tmp_path / "run", Options(basis=tmp_path / "some.safetensors"))
    wrong = bases | {"ln2.0": narrow(bases["ln2.0"])}
    write_bases(tmp_path / "wrong.safetensors", wrong, {})
    with pytest.raises(UsageError, match="the layer has 10"):
        build(SUBJECT, tmp_path / "run", Options(basis=tmp_path / "wrong.safetensors"))
    with pytest.raises(UsageError, match="no bases at"):
        build(SUBJECT, tmp_path / "run", Options(basis=tmp_path / "none"))
    (tmp_path / "broken.safetensors").write_text("x")
    with pytest.raises(RunError, match="cannot be read"):
        build(SUBJECT, tmp_path / "run", Options(basis=tmp_path / "broken.safetensors"))


def narrow(basis):
    return dataclasses.replace(
        basis, rotation=basis.rotation[1:], inverse=basis.inverse[:, 1:], mean=basis.mean[1:]
    )


class StoppedError(Exception):
    """Raised where a build is to be cut off."""


class Stopping:
    """Progress that stops a build when a stage begins."""

    def __init__(self, stage):
        self.last = stage
        self.seen = []

    def stage(self, name, total):
        self.seen.append(name)
        if name == self.last:
            raise StoppedError
        return nullcontext(lambda n: None)

    def say(self, line):
        pass


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize(
    "stage", ["Jacobian of ln1.0", "interactions of ln1.0", "interactions of unembed"]
)
def test_an_interrupted_build_goes_on_and_ends_in_the_same_bytes(run, stage, tmp_path):
    with pytest.raises(StoppedError):
        build(SUBJECT, tmp_path, progress=Stopping(stage))
    with pytest.raises(RunError, match="did not finish"):
        Run.open(tmp_path)
    assert not [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")]
    watched = Stopping(None)
    again = build(SUBJECT, tmp_path, progress=watched)
    assert again.manifest.files == run.manifest.files
    assert ("means and Gram matrices" in watched.seen) == stage.startswith("Jacobian")


@pytest.mark.slow
def test_a_finished_run_is_not_built_again(run):
    watched = Stopping(None)
    assert build(SUBJECT, run.path, progress=watched).id == run.id
    assert watched.seen == []


def test_a_file_in_place_of_the_folder_is_refused_before_the_model_is_loaded(tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(ConflictError, match="is a file, not a folder"):
        build(str(tmp_path / "no-model"), tmp_path / "run")


@pytest.mark.slow
def test_a_folder_of_another_run_is_kept(run):
    before = run.manifest
    with pytest.raises(ConflictError, match="it differs in basis, tau_lib"):
        build(SUBJECT, run.path, Options(basis="pca", tau_lib=0.1))
    assert Run.open(run.path).manifest == before


@pytest.mark.slow
def test_replace_takes_the_new_run(tmp_path):
    first = build(SUBJECT, tmp_path)
    second = build(SUBJECT, tmp_path, Options(basis="pca"), replace=True)
    assert first.id != second.id
    assert Run.open(tmp_path).id == second.id


@pytest.mark.slow
def test_replace_leaves_nothing_that_was_found_of_the_other_run(tmp_path):
    """It would be of another graph, and refused wherever the new run is loaded."""
    module = random_(nn.Sequential(nn.Linear(3, 2)))
    subject = Subject.of(module, torch.randn(9, 3, dtype=torch.float64), ("x=0:in", "output"))
    first = build(subject, tmp_path, Options(basis="neuron"))
    ablate(first)
    for name in ("masks.parquet", "examples.parquet", f"matches-{first.id}-{'0' * 12}.parquet"):
        (tmp_path / name).touch()
    build(subject, tmp_path, Options(basis="pca"), replace=True)
    left = {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")}
    assert left == {"manifest.json", *DATA_FILES}


@pytest.mark.slow
def test_two_builds_at_once(tmp_path):
    with locked(tmp_path), pytest.raises(ConflictError, match="Another process"):
        build(SUBJECT, tmp_path)


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("name", ["bases.safetensors", "features.parquet", "interactions.parquet"])
def test_a_damaged_file_is_noticed(name, tmp_path):
    build(SUBJECT, tmp_path)
    data = bytearray((tmp_path / name).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / name).write_bytes(data)
    with pytest.raises(RunError, match=f"{name}.*damaged"):
        Run.open(tmp_path)
    with pytest.raises(RunError, match=f"{name}.*damaged"):
        build(SUBJECT, tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(RunError, match=f"{name}.*missing"):
        Run.open(tmp_path)


@pytest.mark.slow
def test_a_damaged_manifest_is_noticed(tmp_path):
    build(SUBJECT, tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    for text in ("{", json.dumps(manifest | {"surprise": 1}), "[]"):
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(RunError, match="cannot be read"):
            Run.open(tmp_path)


def subject_of(module, inputs, layers):
    return Subject("small", "tests", module, (inputs,), "random", layers)


LINES = {"a": "0:in", "b": "1:in", "out": "output"}


@pytest.mark.slow
def test_a_constant_layer_is_an_error(tmp_path):
    module = random_(nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2)))
    module[0].weight.data.zero_()
    x = torch.randn(10, 3, dtype=torch.float64)
    with pytest.raises(ModelError, match="Layer 'b' is the same"):
        build(subject_of(module, x, LINES), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_no_data_is_an_error(tmp_path):
    module = random_(nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2)))
    with pytest.raises(ModelError, match="empty"):
        build(subject_of(module, torch.zeros(0, 3), LINES), tmp_path)


@pytest.mark.slow
def test_activations_that_are_not_finite_are_an_error(tmp_path):
    module = random_(nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2)))
    x = torch.ones(10, 3)
    x[7, 1] = torch.inf
    with pytest.raises(ModelError, match=r"Layer 'a'.*not finite .* whose inputs are not: mend"):
        build(subject_of(module, x, LINES), tmp_path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"basis": "libb"}, "Closest: 'lib'"),
        ({"last": "rw"}, "Closest: 'raw'"),
        ({"dtype": "float16"}, "Choose one of float64, float32"),
        ({"rule": "gauss"}, "gauss-legendre"),
        ({"tau_lib": 1.5}, "tau_lib is 1.5"),
    ],
)
def test_options_that_cannot_be_used(options, words):
    with pytest.raises(UsageError, match=words):
        Options(**options)


@pytest.mark.slow
def test_a_seed_counts_where_the_basis_is_random_and_nowhere_else(tmp_path):
    runs = [
        build(SUBJECT, tmp_path / str(seed), Options(basis="random", seed=seed)) for seed in (0, 1)
    ]
    assert len({run.id for run in runs}) == 2
    for seed, run in enumerate(runs):
        assert (run.manifest.basis, run.manifest.seed) == ("random", seed)
        features = run.features[run.features.role == "feature"]
        assert (features.importance == 1.0).all()
        assert np.allclose(features.variance, 1.0)
    one, other = (read_bases(run.path / "bases.safetensors") for run in runs)
    layer = runs[0].layers[0].name
    assert not torch.allclose(one[layer].rotation, other[layer].rotation, atol=0.1)
    with pytest.raises(UsageError, match="seed is 1, and nothing but the basis random"):
        Options(basis="pca", seed=1)
