"""How words predict features, against pairs of positions and a plain regression."""

import numpy as np
import pytest
import torch

from lib_graph.analysis.measuring import predicting
from lib_graph.analysis.measuring.predicting import RIDGE, TokenPredictor, weighted_auc
from lib_graph.analysis.measuring.resampling import drawn
from lib_graph.errors import UsageError

GENERATOR = torch.Generator().manual_seed(0)
N, S = 16, 40
TOKENS = torch.randint(3, 9, (N, S), generator=GENERATOR)
ONCE = np.ones((1, N))


def noise(*shape):
    return torch.randn(*shape, generator=GENERATOR)


def test_auc_is_the_share_of_pairs_in_the_right_order():
    random = np.random.default_rng(0)
    score, active = random.integers(0, 5, 30).astype(float), random.random(30) < 0.4
    weights = random.integers(0, 4, (3, 30)).astype(float)
    for row, found in zip(weights, weighted_auc(score, active, weights), strict=True):
        right = total = 0.0
        for i in np.flatnonzero(active):
            for j in np.flatnonzero(~active):
                right += row[i] * row[j] * ((score[i] > score[j]) + (score[i] == score[j]) / 2)
                total += row[i] * row[j]
        assert found == pytest.approx(right / total)
    assert np.isnan(weighted_auc(score, np.ones(30, bool), weights)).all()


def test_a_feature_of_the_word_is_predicted_and_one_of_chance_is_not():
    rare = TOKENS.clone()
    rare[torch.rand(N, S, generator=GENERATOR) < 0.06] = 20
    before = torch.zeros(N, S).masked_fill(rare.roll(1, 1) == 20, 1.0)
    features = torch.stack([(rare == 20).float(), -2.0 * before, noise(N, S)], -1)
    features += 0.01 * noise(N, S, 3)
    found = TokenPredictor.of(rare).predicted(features, ONCE)
    assert (found.auc[0, :2] > 0.95).all()  # either sign, and a word before
    assert found.auc[0, 2] == pytest.approx(0.5, abs=0.2)
    assert found.tokens[0, 0] < 3 < found.tokens[0, 2]


def test_the_most_frequent_words_are_the_ones_that_are_told_apart(monkeypatch):
    monkeypatch.setattr(predicting, "KNOWN", 2)
    often = torch.arange(100, 100 + N * S).reshape(N, S)  # each once, but for one of them
    often[torch.rand(N, S, generator=GENERATOR) < 0.06] = 120
    features = (often == 120).double() + 0.01 * noise(N, S)
    found = TokenPredictor.of(often).predicted(features[..., None], ONCE)
    assert found.auc[0, 0] > 0.95


def test_scores_are_those_of_a_regression_on_the_words_at_three_places():
    feature, weights = noise(N, S), drawn(N, 3, 2)
    found = TokenPredictor.of(TOKENS).predicted(feature[..., None], weights)
    words, learn = sorted(set(TOKENS.flatten().tolist())), 12
    rows = [
        [float(TOKENS[n, t - back] == word) for back in range(3) for word in words]
        for n in range(N) for t in range(2, S)
    ]  # fmt: skip
    X = np.array(rows).reshape(N, S - 2, -1)
    values = feature[:, 2:].double().numpy()
    known = values[:learn].ravel()
    if ((known - known.mean()) ** 3).mean() < 0:
        values = -values
    active = values > np.quantile(values[:learn], 0.95)
    A = X[:learn].reshape(-1, X.shape[-1])
    A = A - A.mean(0)
    y = active[:learn].ravel() - active[:learn].mean()
    slopes = np.linalg.solve(A.T @ A + RIDGE * np.eye(A.shape[1]), A.T @ y)
    score, words = (X @ slopes).round(12), TOKENS[:, 2:].numpy()
    for draw, counts in enumerate(weights.astype(int)):  # data in which rows are repeated
        held = np.repeat(np.arange(N)[learn:], counts[learn:])
        assert len(held)
        once = np.ones((1, held.size * (S - 2)))
        expected = weighted_auc(score[held].ravel(), active[held].ravel(), once)
        assert found.auc[draw, 0] == pytest.approx(float(expected[0]), abs=5e-3)
        every = np.repeat(np.arange(N), counts)
        tokens = words[every][active[every]]
        shares = np.unique(tokens, return_counts=True)[1] / len(tokens)
        assert found.tokens[draw, 0] == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))


def test_draws_judge_by_the_rows_that_they_have():
    feature, weights = noise(N, S, 2), drawn(N, 4, 0)
    found = TokenPredictor.of(TOKENS).predicted(feature, weights)
    assert found.auc.shape == found.tokens.shape == (5, 2)
    alone = np.zeros((1, N))
    alone[0, 13] = 1.0
    assert not np.allclose(TokenPredictor.of(TOKENS).predicted(feature, alone).auc, found.auc[0])


def test_a_feature_that_never_varies_is_not_known():
    found = TokenPredictor.of(TOKENS).predicted(torch.zeros(N, S, 1), ONCE)
    assert np.isnan(found.auc).all()
    assert np.isnan(found.tokens).all()


def test_too_few_rows_are_refused():
    with pytest.raises(UsageError, match="7 rows of 40 tokens are too few"):
        TokenPredictor.of(TOKENS[:7])
