"""The language model that comes with its weights."""

import json
import runpy
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from lib_graph.data.text import Text
from lib_graph.networks import load_subject
from tests.data import reference_data

FOLDER = Path(__file__).parents[1] / "examples" / "gpt-neo-8x64"
TRAINING = json.loads((FOLDER / "training.json").read_text())


def test_it_is_what_a_build_takes(tmp_path):
    story = tmp_path / "story.txt"
    story.write_text("Once upon a time there was a cat. " * 40)
    subject = load_subject(FOLDER, Text(story, context=16, tokens=64))
    assert len(subject.layers) == 2 * 8 + 2
    assert sum(x.numel() for x in subject.module.parameters()) == 464_000


@pytest.mark.slow
@pytest.mark.exhaustive
def test_its_cross_entropy_is_what_is_said_of_it():
    stories = reference_data("tinystories/stories.txt")
    if stories is None:
        pytest.skip("There are no reference data.")
    train = runpy.run_path(str(FOLDER / "train.py"))
    model = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32)
    _, held = train["stream_of"](stories, FOLDER / "tokenizer.json")
    assert held.shape == (40, 512)
    found = train["cross_entropy"](lambda x: model(x).logits, held)
    assert found == pytest.approx(TRAINING["held_out_cross_entropy"], abs=1e-4)
    assert found < 1.9


@pytest.mark.slow
def test_the_script_computes_what_transformers_does():
    train = runpy.run_path(str(FOLDER / "train.py"))
    model = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32)
    tokens = torch.randint(3, 512, (2, 400), generator=torch.Generator().manual_seed(0))
    student = train["Student"](torch.device("cpu"))
    found = student(model.state_dict(), tokens)
    assert (found - model(tokens).logits).abs().max() < 1e-3
