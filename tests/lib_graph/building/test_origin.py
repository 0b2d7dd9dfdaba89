"""What a run id follows from."""

import dataclasses

import pytest
import torch

from lib_graph.building.options import Options
from lib_graph.building.origin import origin_of, run_id, tensors_sha256
from lib_graph.method.basis import RawBasis
from lib_graph.method.transcoder import Transcoder

MADE_FROM = {
    "model": "m", "data": "d", "layers": {"a": "0:in", "b": "output"}, "biases": ["x", "y"],
    "options": Options(), "computed": "lib",
}  # fmt: skip
OTHERS = {
    "model": "other",
    "data": "other",
    "layers": {"b": "0:in", "a": "output"},
    "biases": ["x"],
    "computed": "pca",
    "bases": {"a": RawBasis(2)},
    "stand_ins": {"a": Transcoder(*[torch.ones(1, 1)] * 4, "relu")},
}


@pytest.mark.parametrize("name", OTHERS)
def test_all_that_the_numbers_follow_from_counts(name):
    other = origin_of(**{**MADE_FROM, name: OTHERS[name]})
    assert run_id(other) != run_id(origin_of(**MADE_FROM))


@pytest.mark.parametrize("change", [{"rule": "trapezoid"}, {"tau_pca": 1e-3}, {"dtype": "float32"}])
def test_options_count(change):
    other = origin_of(**{**MADE_FROM, "options": dataclasses.replace(Options(), **change)})
    assert run_id(other) != run_id(origin_of(**MADE_FROM))


def test_memory_and_the_order_of_biases_do_not(tmp_path):
    same = {"biases": ["y", "x"], "options": Options(memory=1 << 40)}
    assert origin_of(**{**MADE_FROM, **same}) == origin_of(**MADE_FROM)


def test_a_tensor_that_lies_among_others_counts_as_its_copy():
    among = torch.arange(12.0).reshape(4, 3)
    for each in (among[:, 1], among[:1, 1], among[:0, 1], among.T):
        assert tensors_sha256([("x", each)]) == tensors_sha256([("x", each.clone().contiguous())])
