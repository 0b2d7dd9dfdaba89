"""Scores on held-out data: by hand, over the answers that count."""

import math

import pytest
import torch
from torch.nn import functional

from lib_graph.data.evaluation import Evaluation, Metric, Total
from lib_graph.errors import NotFoundError


def test_only_answers_that_count_are_scored():
    outputs = torch.tensor([[[2.0, 0.0], [0.0, 1.0]], [[1.0, 3.0], [5.0, 0.0]]])
    targets = torch.tensor([[0, 0], [1, 1]])
    counted = torch.tensor([[True, True], [True, False]])
    assert Metric("accuracy").total(outputs, targets) == Total(2.0, 4)
    assert Metric("accuracy").total(outputs, targets, counted) == Total(2.0, 3)
    by_hand = sum(math.log1p(math.exp(gap)) for gap in (-2, 1, -2))
    found = Metric("cross-entropy").total(outputs, targets, counted)
    assert (found.sum, found.answers) == (pytest.approx(by_hand), 3)
    assert found.merge(found).mean == pytest.approx(by_hand / 3)


def test_a_language_model_is_scored_by_the_next_token():
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(0, 9, (3, 6), generator=generator)
    outputs = torch.randn(3, 6, 9, generator=generator)
    text = Evaluation.next_tokens("text", tokens)
    truth = functional.cross_entropy(outputs[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
    found = Metric(text.metric).total(outputs, text.targets, text.counted)
    assert (found.sum, found.answers) == (pytest.approx(float(truth) * 15), 15)


def test_padding_is_neither_predicted_nor_predicts():
    counted = torch.tensor([[False, True, True, True], [True, True, False, False]])
    text = Evaluation.next_tokens("text", torch.zeros(2, 4, dtype=torch.long), counted)
    assert text.counted.tolist() == [[False, True, True, False], [True, False, False, False]]


def test_worse_is_positive_whatever_the_metric():
    assert Metric("accuracy").loss(0.9, 1.0) == pytest.approx(0.1)
    assert Metric("cross-entropy").loss(1.5, 1.0) == pytest.approx(0.5)


def test_another_metric_is_one_line():
    with pytest.raises(NotFoundError, match=r"Metric 'acuracy' not found. Closest: 'accuracy'"):
        Metric("acuracy")
