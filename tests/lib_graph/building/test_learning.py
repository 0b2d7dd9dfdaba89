"""`train dictionary`: what is written is what a build takes, and it is whole or not there."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

import lib_graph
from lib_graph.building.learning import train_dictionaries
from lib_graph.dictionaries import read_dictionaries
from lib_graph.errors import ConflictError, LibGraphError, ModelError, NotFoundError, UsageError
from lib_graph.networks import Subject
from lib_graph.networks.training.dictionary import DictionaryRecipe
from lib_graph.support.progress import Silent

LAYERS = ["input=0:in", "hidden=2:in", "output"]
RECIPE = DictionaryRecipe(expansion=2, k=3, steps=60, batch_size=64)


def network(samples: int = 400) -> Subject:
    generator = torch.Generator().manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2))
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, generator=generator)
    return Subject.of(module, torch.randn(samples, 4, generator=generator), LAYERS)


pytestmark = pytest.mark.slow  # tracing, which all of them need, takes a second


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("dictionaries") / "saes"
    return out, train_dictionaries(network(), out, RECIPE)


def test_what_is_written_is_read_with_the_same_features(folder):
    out, learned = folder
    assert sorted(path.name for path in out.iterdir()) == ["bases.safetensors", "training.json"]
    found = {each.hook: each.holds for each in read_dictionaries(out)}
    assert sorted(found) == ["hidden", "input"]
    f = network().inputs[0].double()[None]
    assert torch.allclose(
        found["input"].coordinates(f),
        learned["input"].dictionary.coordinates(f),
        rtol=0,
        atol=1e-6,
    )
    said = json.loads((out / "training.json").read_text())
    assert said["expansion"] == 2
    assert said["layers"]["hidden"]["point"] == "2:in"
    assert said["layers"]["hidden"]["features"] == 10
    assert said["layers"]["input"]["trained_on"] == 360
    assert said["layers"]["input"]["explained"] == learned["input"].explained > 0.5


@pytest.mark.parametrize("prefix", ["", "hidden="])
def test_a_build_takes_it(folder, tmp_path, prefix):
    out, learned = folder
    basis = f"{prefix}{out}"
    computed = ("pca",) if prefix else ()
    options = lib_graph.Options(basis=(basis, *computed))
    run = lib_graph.build(network(), tmp_path / "run", options)
    assert {layer.name: layer.features for layer in run.layers}["hidden"] == 10
    left = 1 - min(each.explained for each in learned.values())
    assert 0 < run.manifest.checks["left_out"] < left + 0.1


def test_one_layer_may_be_asked_for_by_its_point(tmp_path):
    learned = train_dictionaries(network(), tmp_path / "one", RECIPE, layers=["mine=2:in"])
    assert list(learned) == ["mine"]
    assert read_dictionaries(tmp_path / "one")[0].hook == "mine"


def test_positions_that_do_not_count_are_left_out(tmp_path):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(60, 6, 3, generator=generator)
    counted = torch.ones(60, 6, dtype=torch.bool)
    counted[:, 4:] = False
    spoiled = x.clone()
    spoiled[:, 4:] = 1e3
    module = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Tanh())
    recipe = DictionaryRecipe(expansion=2, k=2, steps=10)
    both = []
    for number, data in enumerate((x, spoiled)):
        subject = Subject.of(module, data, ["in=0:in", "output"])
        subject = Subject(**{**vars(subject), "counted": counted})
        both.append(train_dictionaries(subject, tmp_path / str(number), recipe)["in"])
    assert both[0].explained == both[1].explained
    assert torch.equal(both[0].dictionary.encoder, both[1].dictionary.encoder)
    assert json.loads((tmp_path / "0/training.json").read_text())["layers"]["in"]["held_out"] == 24


def far_away() -> Subject:
    """Return a network whose last samples lie where no training sample does."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, 4, generator=generator) * torch.tensor([1.0, 1e-3, 1e-3, 1e-3])
    x[-40:] = 10 * torch.randn(40, 4, generator=generator) * torch.tensor([0.0, 1.0, 1.0, 1.0])
    module = torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.Tanh())
    return Subject.of(module, x, ["input=0:in", "output"])


BAD: dict[str, tuple[Subject, dict, type[LibGraphError], str]] = {
    "too few positions": (
        network(50), {}, UsageError,
        r"8 features \(2 × 4 coordinates\) of layer 'input' need .* 80, .* are 45 and 5. Take 89 s",
    ),
    "no such layer": (network(), {"layers": ["hiden"]}, NotFoundError, "Closest: 'hidden'"),
    "no memory": (
        network(), {"memory": 1000}, UsageError, "activations of 2 layers take .* of --memory",
    ),
    "k too large": (
        network(), {"recipe": DictionaryRecipe(expansion=2, k=9)}, UsageError, "k is 9, .* 8 feat",
    ),
    "explains nothing": (
        far_away(), {"recipe": DictionaryRecipe(expansion=8, k=16, steps=5)}, ModelError,
        "The dictionary of layer 'input' explains nothing: .* times the variance",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_refused_leaves_nothing(tmp_path, case):
    subject, options, error, message = BAD[case]
    options = {"recipe": RECIPE, **options}
    with pytest.raises(error, match=message) as raised:
        train_dictionaries(subject, tmp_path / "saes", **options)
    assert "\n" not in str(raised.value)
    assert not [*tmp_path.iterdir()]


def test_no_room_on_disk_is_said_before_training(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr("lib_graph.building.learning.shutil.disk_usage", lambda _: usage)
    with pytest.raises(UsageError, match=r"The dictionaries take .* has 100 B"):
        train_dictionaries(network(), tmp_path / "saes", RECIPE)
    assert not [*tmp_path.iterdir()]


class Interrupted(Silent):
    """A progress that is interrupted in the second dictionary."""

    @contextmanager
    def stage(self, name: str, total: int):
        def advance(_: int) -> None:
            if name == "dictionary of hidden":
                raise KeyboardInterrupt

        yield advance


def test_an_interruption_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train_dictionaries(network(), tmp_path / "saes", RECIPE, progress=Interrupted())
    assert not [*tmp_path.iterdir()]


def test_a_full_folder_is_left_alone(tmp_path):
    Path(tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConflictError, match="is not empty"):
        train_dictionaries(network(), tmp_path, RECIPE)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
