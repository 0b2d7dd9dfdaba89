"""Builds on a GPU give what builds on the processor do. Run where there is a CUDA device."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from lib_graph.building import plan
from lib_graph.building.build import build
from lib_graph.building.options import Options
from lib_graph.method.dictionary import Dictionary
from lib_graph.networks.gpt2 import GPT2
from lib_graph.networks.gpt_neo import GPT_NEO
from lib_graph.networks.language_model import LanguageModel, kinds, layers
from lib_graph.networks.llama import LLAMA
from lib_graph.networks.subject import Subject
from tests.lib_graph.building.test_resuming import contents
from tests.lib_graph.building.test_resuming import subject as stacked_subject
from tests.lib_graph.language_models import random_model, tokens
from tests.lib_graph.nets import transformer_subject
from tests.lib_graph.stopping import StopAfter, StoppedError

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


def language_model(name, family, granularity="block"):
    module = LanguageModel(random_model(name))
    points = layers(family, module.model.config.num_hidden_layers, granularity)
    return Subject(name, "tests", module, (tokens(12),), "random", points, partial(kinds, family))


def convolution():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(2, 3, 2), nn.Tanh(), nn.Conv2d(3, 2, 2), nn.Flatten())
    return Subject.of(module, torch.randn(9, 2, 4, 4), ["a=0:in", "b=2:in", "output"])


def plain_norm():
    torch.manual_seed(0)
    norm = nn.LayerNorm(5, elementwise_affine=False)
    module = nn.Sequential(nn.Linear(3, 5), norm, nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2))
    return Subject.of(module, torch.randn(40, 3), ["a=0:in", "b=1:in", "c=3:in", "output"])


SUBJECTS = {
    "modular addition": transformer_subject,
    "generic sections": stacked_subject,
    "convolutions": convolution,
    "a norm without weights": plain_norm,
    "gpt2": partial(language_model, "gpt2", GPT2),
    "gpt_neo": partial(language_model, "gpt_neo", GPT_NEO),
    "llama": partial(language_model, "llama", LLAMA),
    "llama, norms in two": partial(language_model, "llama", LLAMA, "paper"),
}


# transformers computes a Llama's rotary table in float32, on the device: sines differ there
ROUGH = {"llama": 1e-6, "llama, norms in two": 1e-6}


def apart(one, other):
    """Return the largest difference of strengths and effects, relative to the section's largest."""
    keys = ["source_layer", "source", "target_layer", "target"]
    both = one.interactions.merge(other.interactions, on=keys, how="outer", suffixes=("", "_2"))
    return max(
        (section[name].fillna(0) - section[f"{name}_2"].fillna(0)).abs().max()
        / section[name].abs().max()
        for _, section in both.groupby("source_layer")
        for name in ("strength", "effect")
    )


@pytest.mark.parametrize("name", SUBJECTS)
def test_the_same_bases_give_the_same_interactions(name, tmp_path):
    here = build(SUBJECTS[name](), tmp_path / "here")
    given = Options(basis=str(here.path))
    there = build(SUBJECTS[name](), tmp_path / "there", given, device="cuda")
    again = build(SUBJECTS[name](), tmp_path / "again", given)
    assert apart(again, there) < ROUGH.get(name, 1e-12)


@pytest.mark.parametrize("name", SUBJECTS)
@pytest.mark.parametrize("basis", ["lib", "pca", "global"])
def test_bases_that_are_found_there_hold_the_same_variance(name, basis, tmp_path):
    cut = Options(basis=basis, tau_pca=1e-8, tau_lib=1e-8)
    here = build(SUBJECTS[name](), tmp_path / "here", cut)
    there = build(SUBJECTS[name](), tmp_path / "there", cut, device="cuda")
    assert here.id == there.id
    one, other = (x.features.set_index(["layer", "index"]).importance for x in (here, there))
    assert (one - other).abs().max() < ROUGH.get(name, 1e-9) * one.max()


@pytest.mark.parametrize(
    "options", [Options(dtype="float32"), Options(probes=3), Options(rule="gauss-legendre")]
)
def test_other_ways_to_build(options, tmp_path):
    here = build(stacked_subject(), tmp_path / "here", options)
    there = build(stacked_subject(), tmp_path / "there", options, device="cuda")
    one, other = (x.features.importance for x in (here, there))
    assert (one - other).abs().max() < 1e-4 * one.max()


def test_tf32_moves_strengths_about_as_far_as_the_run_says(tmp_path):
    here = build(SUBJECTS["gpt2"](), tmp_path / "here", Options(dtype="float32"), device="cuda")
    given = Options(dtype="float32", basis=str(here.path))
    whole = build(SUBJECTS["gpt2"](), tmp_path / "whole", given, device="cuda")
    rough = replace(given, tf32=True)
    run = build(SUBJECTS["gpt2"](), tmp_path / "rough", rough, device="cuda")
    errors = [x for name, x in run.manifest.checks.items() if name.startswith("tf32_error.")]
    assert len(errors) == len(run.layers) - 1
    assert max(errors) < 0.1
    assert apart(whole, run) < max(1e-5, 2 * max(errors))


def test_dictionaries(tmp_path):
    torch.manual_seed(0)
    build(stacked_subject(), tmp_path / "run")
    from lib_graph.dictionaries.bases_file import read_bases, write_bases

    bases = read_bases(tmp_path / "run" / "bases.safetensors")
    own = {
        name: Dictionary(
            torch.randn(basis.width, 7).double(), torch.randn(7).double(),
            torch.randn(7, basis.width).double(), torch.randn(basis.width).double(), "relu",
        )
        for name, basis in bases.items()
    }  # fmt: skip
    write_bases(tmp_path / "own.safetensors", own, {})
    given = Options(basis=str(tmp_path / "own.safetensors"))
    here = build(stacked_subject(), tmp_path / "here", given)
    assert apart(here, build(stacked_subject(), tmp_path / "there", given, device="cuda")) < 1e-12


@pytest.mark.parametrize("stage", ["means and Gram matrices", "Jacobian of b", "interactions of c"])
def test_a_build_that_was_cut_off_goes_on_there(stage, tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "ROWS", 16)
    build(stacked_subject(), tmp_path / "whole", device="cuda")
    with pytest.raises(StoppedError):
        build(stacked_subject(), tmp_path / "cut", device="cuda", progress=StopAfter(stage, 2))
    watched = StopAfter()
    build(stacked_subject(), tmp_path / "cut", device="cuda", progress=watched)
    assert watched.seen[stage][0] == 2
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_padding(tmp_path):
    subject = SUBJECTS["gpt2"]()
    counted = torch.ones(12, 6, dtype=torch.bool)
    counted[::2, 4:] = False
    subject = replace(subject, counted=counted)
    here = build(subject, tmp_path / "here")
    given = Options(basis=str(here.path))
    there = build(subject, tmp_path / "there", given, device="cuda")
    assert apart(build(subject, tmp_path / "again", given), there) < 1e-12
