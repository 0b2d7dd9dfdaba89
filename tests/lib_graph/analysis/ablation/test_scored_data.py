"""The data that a network is scored on: which give a score, and a selection of them."""

from dataclasses import replace

import pytest
import torch

import lib_graph
from lib_graph.analysis.ablation import Bench
from lib_graph.data.evaluation import Evaluation
from lib_graph.errors import ModelError, NotFoundError, UsageError
from lib_graph.networks import Subject
from lib_graph.networks.modular_addition import answers
from tests.lib_graph.analysis.ablation.benches import TEST, scored
from tests.lib_graph.nets import CONFIG


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"targets": torch.rand(len(TEST))}, ModelError, "float32. Give the number of the right"),
        ({"targets": torch.zeros(3).long()}, ModelError, r"are \(3,\) torch.int64"),
        ({"targets": torch.full((len(TEST),), 8)}, ModelError, "from 8 to 8, but .* has 8 outputs"),
        ({"inputs": (TEST[:0],)}, ModelError, "is empty"),
        ({"metric": "r2"}, NotFoundError, "Metric 'r2' not found"),
    ],
)
def test_data_that_give_no_score_are_one_line(transformer, change, error, words):
    subject = replace(scored(), evaluation=replace(scored().evaluation, **change))
    with pytest.raises(error, match=words):
        Bench.of(transformer.run, subject=subject)


@pytest.fixture(scope="module")
def positions(tmp_path_factory):
    """A network of two positions, and its run."""
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh())
    subject = Subject.of(module, torch.randn(20, 2, 3), ["0:in", "output"])
    folder = tmp_path_factory.mktemp("run")
    return subject, lib_graph.build(subject, folder, lib_graph.Options(basis="pca"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "labels", "words"),
    [
        ((9, 2, 3), (9,), r"are \(9,\) torch.int64. .* each of the 9 samples × 2 positions"),
        ((9, 2, 3), (), r"are \(\) torch.int64"),
        ((9, 2, 4), (9, 2), r"Sequential cannot run on the inputs of 'own' \(.*\)"),
    ],
)
def test_data_that_do_not_fit_the_network_are_one_line(positions, shape, labels, words):
    subject, run = positions
    evaluation = Evaluation("own", (torch.randn(shape),), torch.zeros(labels).long())
    with pytest.raises(ModelError, match=words):
        Bench.of(run, subject=replace(subject, evaluation=evaluation))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [torch.int32, torch.uint8, torch.bool])
def test_labels_of_any_whole_type_have_a_cross_entropy(positions, kind):
    subject, run = positions
    inputs, labels = torch.randn(9, 2, 3), torch.arange(18).reshape(9, 2) % 2
    evaluation = Evaluation("own", (inputs,), labels.to(kind))
    bench = Bench.of(run, subject=replace(subject, evaluation=evaluation), metric="cross-entropy")
    logs = subject.module(inputs).log_softmax(-1)
    expected = -logs.gather(-1, labels[..., None]).mean().item()
    assert bench.baseline == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_network_without_labels_is_one_line(transformer, tmp_path):
    with pytest.raises(UsageError, match="has no labelled data, so neither accuracy nor"):
        Bench.of(transformer.run, subject=replace(scored(), evaluation=None))
    early = scored().with_layers(["ln1.0", "ln2.0", "unembed"])
    run = lib_graph.build(early, tmp_path, lib_graph.Options(basis="neuron"))
    with pytest.raises(UsageError, match=r"The last layer of run .* is 'unembed', not the output"):
        Bench.of(run, subject=early)


@pytest.mark.slow
def test_fewer_answers_are_an_even_selection(transformer):
    few = transformer.sampled(5)
    assert len(few) == 5
    assert few.evaluation.inputs[0][[0, -1]].equal(TEST[[0, -1]])
    assert few.evaluation.targets.equal(answers(few.evaluation.inputs[0], CONFIG))
    assert transformer.sampled(len(TEST)) is transformer


@pytest.mark.slow
def test_answers_that_do_not_count_are_not_counted_in_a_selection(transformer):
    rows = torch.arange(40).repeat_interleave(4).view(40, 4)  # three answers each
    bench = replace(transformer, evaluation=Evaluation.next_tokens("rows", rows))
    few = bench.sampled(23).evaluation
    assert few.inputs[0][:, 0].tolist() == [0, 6, 13, 20, 26, 32, 39]
    assert few.counted.sum() == 21
    assert bench.sampled(120) is bench
    assert len(bench.sampled(119)) == 39
