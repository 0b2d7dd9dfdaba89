"""Networks of transformers, a small random one of every family, against the tests' oracle."""

from dataclasses import replace

import pytest
import torch

import lib_graph
from lib_graph.errors import ModelError
from tests.lib_graph.zoo import check
from tests.lib_graph.zoo.transformers_models import CAUSAL, OTHERS, case, layers, reading, tokens

RECORDED = {"Llama, dynamic positions", "Mixtral", "Qwen2 with experts"}


@pytest.mark.slow
@pytest.mark.parametrize("name", [*CAUSAL, *OTHERS])
def test_a_network_of_transformers(name, tmp_path):
    run = check(case(name), tmp_path)
    recorded = "recorded_courses" in run.manifest.checks
    assert recorded or name not in RECORDED


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
