"""Networks of transformers, a small random one of every family, against the tests' oracle."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import lib_graph
from lib_graph.errors import ModelError
from lib_graph.networks.language_model import FAMILIES
from tests.lib_graph.zoo import check
from tests.lib_graph.zoo.transformers_models import CAUSAL, OTHERS, case, layers, reading, tokens

DOCS = Path(lib_graph.__file__).parents[1] / "docs" / "language-models.md"


def listed(sections: str) -> list[str]:
    """The networks that the page of language models lists, by what their sections are."""
    page = DOCS.read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| {sections} \|.*\|(.*)\|$", page, re.MULTILINE)
    return [name.strip() for name in row.split(",")]


def test_every_network_that_the_docs_list_is_here():
    variants = {
        "GPT-NeoX in sequence", "Llama with Llama 3's positions", "Llama with Yarn's positions",
    }  # fmt: skip
    every = listed("closed forms") + listed("generic") + listed("recorded")
    assert sorted(every) == sorted({*CAUSAL, *OTHERS} - variants)
    closed = {name.lower().replace("-", "").replace("_", "") for name in listed("closed forms")}
    assert closed == {name.replace("_", "") for name in FAMILIES}


# One whose sections have closed forms, generic ones (with more than the stream between blocks,
# without attention, and of images in windows), a recorded one.
FIRST = ("GPT-2", "Gemma 4", "Mamba", "BERT", "Swin", "Mixtral")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        name if name in FIRST else pytest.param(name, marks=pytest.mark.exhaustive)
        for name in (*CAUSAL, *OTHERS)
    ],
)
def test_a_network_of_transformers(name, tmp_path):
    run = check(case(name), tmp_path)
    assert ("recorded_courses" in run.manifest.checks) == (name in listed("recorded"))


@pytest.mark.slow
def test_padding_of_an_encoder(tmp_path):
    """What is masked reaches nothing that counts, and counts nowhere."""
    lengths = torch.tensor([4, 2, 3, 4, 1])
    counted = torch.arange(4) < lengths[:, None]
    padded = replace(
        case("BERT", mask=True), data=torch.where(counted, tokens(), 0), counted=counted
    )
    check(padded, tmp_path, subject=lambda subject: replace(subject, counted=counted))


@pytest.mark.slow
def test_points_whose_samples_are_not_first_are_refused(tmp_path):
    """OPT lays all positions of all samples one under the other, before its second norm."""
    points = [layers("OPT")["l0"], "model.model.decoder.layers.0.final_layer_norm:in", "output"]
    with pytest.raises(ModelError, match=r"shape \[16, 8\], whose first axis is not .* 4 samples"):
        lib_graph.build(reading("OPT"), tmp_path, data=tokens(), layers=points)
