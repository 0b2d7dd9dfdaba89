"""Circuits that lead to some answers, scored on these: docs/method.md §13."""

import pytest
import torch

from lib_graph.analysis.ablation import ablate_circuit, answering, answers_of
from lib_graph.errors import UsageError
from lib_graph.run.circuit import EFFECT
from tests.lib_graph.analysis.ablation.benches import (
    bench_of,
    brute,
    only,
    scored,
    two_positions,
    whole,
    whole_batch,
)


@pytest.fixture(scope="module", params=[scored, two_positions])
def bench(request, tmp_path_factory):
    return bench_of(request.param(), tmp_path_factory.mktemp("run"))


def to(circuit, bench, answers):
    """The circuit without interactions into other outputs."""
    last = bench.network.layers[-1].name
    ends = {f"{bench.run.id}/{last}/{answer}" for answer in answers}
    kept = (
        each
        for each in circuit.interactions
        if each.target in ends or f"/{last}/" not in each.target
    )
    return only(circuit, kept)


def logits(bench, circuit):
    """The outputs with a circuit alone, a target and a section at a time."""
    features = whole_batch(bench).features(bench.network.layers[0])
    kept = set(circuit.pairs())
    for section in bench.network.sections:
        ends = [(x.name, bench.bases[x.name]) for x in (section.source, section.target)]
        names = [
            [f"{bench.run.id}/{name}/{i + (not basis.raw)}" for i in range(basis.features)]
            for name, basis in ends
        ]
        mask = torch.tensor([[(one, other) in kept for other in names[1]] for one in names[0]])
        features = brute(bench, section, features, mask)
    return features


def expected(bench, answers, alone, still, network):
    """Effect kept and accuracies on own pairs and on the others, a pair at a time."""
    targets, counted = bench.evaluation.targets, bench.evaluation.counted
    targets = targets.reshape(len(targets), -1)
    found = {True: [], False: []}
    for x in range(targets.shape[0]):
        for place in range(targets.shape[1]):
            if counted is not None and not counted[x, place]:
                continue
            for a in answers:
                z, z0, zw = (each[x, place] for each in (alone, still, network))
                zero = z0[a] - z0.mean()
                own = int(targets[x, place]) == a
                found[own].append(
                    (
                        z[a] - z.mean() - zero,
                        zw[a] - zw.mean() - zero,
                        (int(z.argmax()) == a) == own,
                        (int(zw.argmax()) == a) == own,
                    )
                )
    rows = [torch.tensor(found[own], dtype=torch.float64) for own in (True, False)]
    return [
        (
            len(each),
            float((each[:, 0] * each[:, 1]).sum() / (each[:, 1] ** 2).sum()),
            float(each[:, 2].mean()),
            float(each[:, 3].mean()),
        )
        for each in rows
    ]


@pytest.mark.slow
@pytest.mark.parametrize("answers", [(1,), (0, 2)])
def test_scores_against_a_loop_over_pairs(bench, answers):
    everything = whole(bench)
    kept = (each for n, each in enumerate(everything.interactions) if n % 5)
    circuit = to(only(everything, kept), bench, answers)
    assert answers_of(bench, circuit) == answers
    score = ablate_circuit(bench, circuit, answers=answers, draws=2)
    network = whole_batch(bench).outputs
    alone, still = (logits(bench, each) for each in (circuit, only(circuit, ())))
    wanted = expected(bench, answers, alone, still, network)
    assert (score.score, score.baseline, score.metric) == (score.answers.own.effect_kept, 1, EFFECT)
    assert score.answers.answers == answers
    for pairs, (count, kept, accuracy, baseline) in zip(
        (score.answers.own, score.answers.others), wanted, strict=True
    ):
        assert pairs.pairs == count > 0
        assert pairs.effect_kept == pytest.approx(kept, abs=1e-9)
        assert (pairs.accuracy, pairs.baseline_accuracy) == pytest.approx((accuracy, baseline))


@pytest.mark.slow
def test_random_circuits_of_everything_score_as_the_circuit(bench):
    circuit = to(whole(bench), bench, range(3))
    everything = ablate_circuit(bench, whole(bench), answers=(0, 1), draws=2).answers
    for pairs in (everything.own, everything.others):
        assert pairs.effect_kept == pytest.approx(1)
        assert pairs.accuracy == pairs.baseline_accuracy
    assert everything.own.random_effect_kept == pytest.approx(1)
    assert len(circuit.interactions)


@pytest.mark.slow
def test_random_circuits_are_scored_on_samples_of_both_kinds(bench, monkeypatch):
    evaluation = bench.evaluation
    everything = answering._selected(bench, [1]).evaluation.targets
    assert everything.tolist() == evaluation.targets.tolist()  # ROWS is more than there are

    def rows_of(some):
        right = some.targets == 1
        right = right if some.counted is None else right & some.counted
        return right.reshape(len(right), -1).any(1)

    monkeypatch.setattr(answering, "ROWS", 3)
    own = rows_of(answering._selected(bench, [1]).evaluation)
    there = rows_of(evaluation)
    assert int(own.sum()) == min(3, int(there.sum()))
    assert int((~own).sum()) == min(3, int((~there).sum())) > 0


@pytest.mark.slow
def test_what_a_circuit_claims(bench):
    everything = whole(bench)
    assert answers_of(bench, everything) == ()
    inner = only(everything, [x for x in everything.interactions if "/output/" not in x.target])
    assert answers_of(bench, to(inner, bench, ())) == ()
    some = to(everything, bench, (2,))
    assert answers_of(bench, some) == (2,)
    found = some.model_copy(update={"query": {"keep_score": 0.01}})
    assert answers_of(bench, found) == ()


@pytest.mark.slow
def test_an_answer_that_no_data_have_is_one_line(bench):
    fewer = bench.selected(
        (bench.evaluation.targets.reshape(len(bench), -1) != 1).all(1).nonzero()[:, 0]
    )
    with pytest.raises(UsageError, match=r"output 1 is never to be the answer.*--metric"):
        ablate_circuit(fewer, to(whole(bench), bench, (1,)), answers=(1,), draws=1)
