"""Builds on one-hot data, where all variances are equal, give one graph, and say that they are."""

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from lib_graph.building.build import build
from lib_graph.building.options import Options
from lib_graph.cli.build import build as build_command
from lib_graph.dictionaries.bases_file import read_bases
from lib_graph.networks.subject import Subject
from lib_graph.run import Run
from lib_graph.run.feature import read_feature
from queries.views.feature import feature_json, feature_views
from tests.lib_graph.nets import random_

WIDTH, HIDDEN, OUTPUTS = 12, 7, 3
LAYERS = ["words=0:in", "hidden=2:in", "output"]


def module():
    return random_(
        nn.Sequential(nn.Linear(WIDTH, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, OUTPUTS)), seed=3
    )


def words(order=None):
    rows = torch.eye(WIDTH).double()[torch.arange(10 * WIDTH) % WIDTH]
    return rows if order is None else rows[torch.randperm(len(rows), generator=order)]


def built(folder, order=None, **options):
    return build(module(), folder, Options(**options), data=words(order), layers=LAYERS)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return built(tmp_path_factory.mktemp("words") / "pca", basis="pca")


def table(run):
    return run.interactions.set_index(["source_layer", "source", "target"])


def test_interactions_of_one_hot_words_against_brute_force(run):
    """The features can be written down: (1 − J/n)^½ without its last row and column; E by loops."""
    mean = torch.full((WIDTH,), 1 / WIDTH).double()
    projector = torch.eye(WIDTH).double() - 1 / WIDTH
    values, vectors = torch.linalg.eigh(projector[:-1, :-1])
    C = projector[:, :-1] @ (vectors / values.sqrt()) @ vectors.T
    found = read_bases(run.path / "bases.safetensors")
    assert torch.allclose(found["words"].rotation, C, atol=1e-9)
    hidden, first = found["hidden"], module()[0].requires_grad_(False)
    E = torch.zeros(WIDTH - 1, hidden.features).double()
    for x in torch.eye(WIDTH).double():
        slope = 1 - torch.tanh(first(x)).square()
        jacobian = (first.weight.T * slope) @ hidden.rotation
        E += (((x - mean) @ C)[:, None] * (C.T @ jacobian)).square() / WIDTH
    rows = run.interactions.query("source_layer == 'words' and source > 0")
    strength = torch.tensor(rows.strength.to_numpy()).reshape(E.shape)
    assert torch.allclose(strength, E, rtol=1e-6, atol=1e-9 * float(E.max()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("basis", "dtype", "tolerance"),
    [("pca", "float64", 1e-9), ("lib", "float64", 1e-9), ("pca", "float32", 1e-4)],
)
def test_the_order_of_the_data_changes_no_feature_and_no_interaction(
    basis, dtype, tolerance, tmp_path
):
    runs = [
        built(tmp_path / str(seed), torch.Generator().manual_seed(seed), basis=basis, dtype=dtype)
        for seed in range(2)
    ]
    one, two = (read_bases(each.path / "bases.safetensors") for each in runs)
    for layer in one:
        largest = one[layer].rotation.abs().max()
        difference = (one[layer].rotation - two[layer].rotation).abs().max()
        assert difference < tolerance * largest
    strong = table(runs[0]).strength > 1e-3 * table(runs[0]).strength.max()
    ratio = table(runs[1]).strength[strong] / table(runs[0]).strength[strong]
    assert strong.sum() > 20
    assert (ratio - 1).abs().max() < tolerance


def test_the_run_says_which_features_share_a_space(run, tmp_path):
    words, hidden, output = Run.open(run.path).layers
    assert words.spaces == ((1, WIDTH - 1),)
    assert hidden.spaces == output.spaces == ()
    importance = run.features.query("layer == 'words' and role == 'feature'").importance
    assert importance.nunique() == 1
    shared, alone = read_feature(run, "words", 4), read_feature(run, "hidden", 2)
    assert (shared.space, alone.space) == ((1, WIDTH - 1), None)
    assert feature_json(shared)["space"] == (1, WIDTH - 1)
    first, second = (feature_views(feature, "run")[0].above for feature in (shared, alone))
    assert f"of equal importance as 1 to {WIDTH - 1}" in first
    assert "equal" not in second
    neurons = built(tmp_path / "neuron", basis="neuron")
    assert neurons.features.query("layer == 'words'").importance.dropna().round(9).nunique() == 1
    assert neurons.layers[0].spaces == ()


MODEL = """
import torch

def make_model():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(256, 40), torch.nn.Tanh(), torch.nn.Linear(40, 30)
    ).double()

def make_data():
    return torch.eye(256).double()[torch.arange(2560) % 256]
"""


@pytest.fixture
def threads():
    """A function that sets in how many threads torch computes."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.slow
def test_the_number_of_threads_changes_no_feature_and_no_interaction(tmp_path, threads):
    names = {}
    exec(MODEL, names)
    found = []
    for count in (1, 2):
        threads(count)
        subject = Subject.of(
            names["make_model"](), names["make_data"](), ["words=0:in", "hidden=2:in", "output"]
        )
        found.append(build(subject, tmp_path / str(count), Options(basis="pca")))
    assert found[0].id == found[1].id
    assert found[0].layers[0].spaces == ((1, 255),)
    one, two = (read_bases(each.path / "bases.safetensors")["words"].rotation for each in found)
    assert (one - two).abs().max() < 1e-9
    one, two = (table(each).strength for each in found)
    strong = one > 1e-6 * one.max()
    assert strong.sum() > 5000
    assert ((two[strong] / one[strong]) - 1).abs().max() < 1e-6


def test_build_says_how_many_features_share_their_importance(tmp_path, monkeypatch):
    (tmp_path / "few.py").write_text(MODEL.replace("256", "6"))
    monkeypatch.chdir(tmp_path)
    asked = ["few.py:make_model", "--layers", "words=0:in,output", "--out", "run"]
    result = CliRunner().invoke(build_command, [*asked, "--basis", "pca"])
    assert result.exit_code == 0, result.output
    line = next(line for line in result.output.splitlines() if line.startswith("  words"))
    assert line == "  words: 5 features of 6 coordinates, 5 of them equally important as others"
