"""Training: the target is reached and recorded, or nothing is written."""

from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from lib_graph.errors import ConflictError, ModelError, UsageError
from lib_graph.networks import load_subject
from lib_graph.networks.checkpoint import read_config
from lib_graph.networks.modular_addition import AdditionConfig, split
from lib_graph.networks.training.modular_addition import AdditionRecipe, evaluate, train
from lib_graph.support.progress import Silent
from queries.cli.main import main

SMALL = AdditionConfig(
    modulus=17, d_vocab=18, d_model=32, n_heads=2, d_head=16, d_mlp=128, frac_train=0.95
)
QUICK = AdditionRecipe(learning_rate=1e-2, target_loss=0.1, max_steps=2000)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a network for (a + b) mod 17, about half a second of training."""
    folder = tmp_path_factory.mktemp("models") / "small"
    train(folder, SMALL, QUICK)
    return folder


@pytest.mark.slow
def test_the_target_is_reached_on_pairs_never_seen(trained):
    _, test = split(SMALL)
    accuracy, loss = evaluate(load_subject(trained).module, test, 17)
    assert accuracy == 1
    assert loss < QUICK.target_loss


@pytest.mark.slow
def test_the_config_says_how_it_was_trained(trained):
    config = read_config(trained, AdditionConfig)
    assert config.model_copy(update={"training": None}) == SMALL
    record = config.training
    _, loss = evaluate(load_subject(trained).module, split(SMALL)[1], 17)
    assert (record.test_accuracy, record.test_loss) == (1, loss)
    assert (record.seed, record.optimizer, record.learning_rate) == (0, "AdamW", 1e-2)
    assert (record.weight_decay, record.betas) == (1, (0.9, 0.98))
    assert record.steps % QUICK.check_every == 0
    assert record.torch == torch.__version__


@pytest.mark.slow
def test_a_seed_gives_the_same_weights_again_and_another_seed_others(trained, tmp_path):
    torch.manual_seed(5)  # the global generator must not matter
    train(tmp_path / "again", SMALL, QUICK)
    again = load_file(tmp_path / "again" / "model.safetensors")
    first = load_file(trained / "model.safetensors")
    assert all(torch.equal(first[name], again[name]) for name in first)
    train(tmp_path / "other", SMALL, replace(QUICK, seed=1))
    other = load_file(tmp_path / "other" / "model.safetensors")
    assert not torch.equal(first["embed.W_E"], other["embed.W_E"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "reached"),
    [
        (AdditionRecipe(max_steps=3, target_loss=1e3), "accuracy 0"),
        (replace(QUICK, max_steps=500, target_loss=1e-12), "accuracy 1"),
    ],
)
def test_accuracy_or_loss_short_of_the_target_is_a_failure(tmp_path, recipe, reached):
    with pytest.raises(ModelError, match=rf"within {recipe.max_steps} steps \({reached}"):
        train(tmp_path / "model", SMALL, recipe)
    assert not list(tmp_path.iterdir())


class Interrupting(Silent):
    """Progress of a user who presses Ctrl-C at the given step."""

    def __init__(self, step):
        self.left = step

    @contextmanager
    def stage(self, name, total):
        yield self.advance

    def advance(self, n):
        self.left -= n
        if self.left <= 0:
            raise KeyboardInterrupt


def test_an_interruption_leaves_nothing(tmp_path):
    threads = torch.get_num_threads()
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "model", SMALL, QUICK, progress=Interrupting(5))
    assert not list(tmp_path.iterdir())
    assert torch.get_num_threads() == threads


class Unwanted(Silent):
    """Progress of a training that must not begin."""

    def stage(self, name, total):
        pytest.fail("the training began")


@pytest.mark.slow
def test_a_folder_in_use_is_refused_before_the_first_step(trained):
    before = (trained / "model.safetensors").read_bytes()
    with pytest.raises(ConflictError, match="not empty"):
        train(trained, SMALL, QUICK, progress=Unwanted())
    assert (trained / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize("name", ["max_steps", "batch_size", "learning_rate", "check_every"])
def test_a_recipe_without_a_positive_value_is_refused(name):
    with pytest.raises(UsageError, match=f"{name} is 0"):
        AdditionRecipe(**{name: 0})


def run(*arguments):
    with pytest.raises(SystemExit) as exited:
        main(["train", "modular-addition", "-q", *map(str, arguments)])
    return exited.value.code


@pytest.mark.parametrize(
    ("option", "value", "code", "message"),
    [
        ("--max-steps", 1, 1, "did not reach test accuracy 1"),
        ("--max-steps", 0, 2, "max_steps is 0"),
        ("--modulus", 1, 2, "--modulus is 1"),
        ("--seed", -1, 2, "seed is -1"),
        ("--seed", 2**63, 2, f"seed is {2**63}"),
    ],
)
def test_the_command_fails_in_one_line(tmp_path, capsys, option, value, code, message):
    assert run("--out", tmp_path / "model", option, value) == code
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_command_refuses_a_folder_in_use(trained, capsys):
    assert run("--out", trained) == 4
    assert "not empty" in capsys.readouterr().err
