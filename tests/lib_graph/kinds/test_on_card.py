"""What kinds compute of tensors on a card stays there: tried on tensors that have no numbers."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from lib_graph.kinds import Attention, Norm
from lib_graph.kinds.attention.few import FewPositions
from lib_graph.kinds.attention.one_pass import Reach
from lib_graph.method.ends import Ends
from lib_graph.method.interactions import interaction_moments
from lib_graph.method.jacobians import second_moment
from lib_graph.method.network import Batch, Layer, Section
from lib_graph.method.rules import Rule
from tests.lib_graph.analysis.ablation.test_narrowing import KINDS, D, S, drawn
from tests.lib_graph.building.test_placement import CARD, OneWay, there
from tests.lib_graph.nets import random_basis

RULE = Rule.named("gradient")
WHOLE = [name for name in KINDS if name != "masked, values of another size"]  # that has no moment
MASKED = Attention(
    *(drawn(2, D, 4, seed=i) for i in range(3)), drawn(2, 4, D), mask=torch.eye(S) > 0
)


def section_of(kind, target):
    def function(tensors, parameters, constants):
        return [torch.tanh(tensors[0] @ parameters["weight"]).cumsum(1)]

    return Section(
        Layer(0, "a", ((S, D),)), Layer(1, "b", (tuple(target.shape[1:]),)), function,
        {} if kind else {"weight": drawn(D, 9)}, (), *([kind] if kind else []),
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", [*WHOLE, "masked", "generic"])
def test_nothing_comes_back_from_the_card(name):
    """Of the generic section forward derivatives alone: torch takes backward ones on a device."""
    check_that_nothing_comes_back(name)


@pytest.mark.slow
def test_nothing_comes_back_where_positions_are_few(monkeypatch):
    monkeypatch.setattr(FewPositions, "suit", lambda *_: True)
    check_that_nothing_comes_back("masked")


def check_that_nothing_comes_back(name):
    kind, f = {**KINDS, "masked": MASKED}.get(name), drawn(3, S, D)
    target = drawn(3, S, 9) if kind is None else kind(f)
    bases = random_basis(D, 4), random_basis(target.shape[2], 3 if kind else 8)
    section = section_of(kind, target)
    with FakeTensorMode(allow_non_fake_inputs=True):
        section, batch = there(section), there(Batch((f, target), ()))
        source, following = (basis.to(torch.float64, CARD) for basis in bases)
        narrow = section.kind.narrowed(Ends(source.inverse, source.origin, following.rotation))
        with OneWay():
            found = [
                second_moment(section, batch, following.rotation, RULE, 2),
                interaction_moments(section, batch, source, following, RULE, 2).square,
            ]
            if kind is not None:
                (here, _) = batch.activations
                found += [section.kind.values(here), narrow(source.coordinates(here))]
        assert {x.device for x in found} == {CARD}


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("window", [None, 2])
def test_what_a_block_sees_is_all_that_its_queries_see(causal, window):
    reach, every = Reach(causal, window), range(2, 9)
    for queries in (range(2, 9), range(4, 6), range(3, 9, 2), range(8, 9)):
        seen = [
            s for s in every
            for t in queries
            if (s <= t or not causal) and (window is None or abs(t - s) < window)
        ]  # fmt: skip
        found = reach.seen(queries, every)
        assert [*every[found]] == [*range(min(seen), max(seen) + 1)]


def test_blocks_of_a_card_s_size_change_nothing(monkeypatch):
    """The same numbers with temporaries of any size: one sample and head at a time, or all."""
    weights = [drawn(3, D, 4, seed=i) for i in range(3)]
    kind = Attention(*weights, drawn(3, 4, D), norm=Norm(drawn(D), None, 1e-5, True))
    f, rotation = drawn(3, S, D), drawn(D, 5)
    section = section_of(kind, f)
    bases = random_basis(D, 4), random_basis(D, 3)
    batch = Batch((f, kind(f)), ())

    def both():
        found = interaction_moments(section, batch, *bases, RULE, 4)
        return kind.second_moment(f, rotation, RULE), found.square

    truth = both()
    for size in (1, 1 << 26):
        with monkeypatch.context() as patch:
            for module in ("moment", "edges"):
                patch.setattr(f"lib_graph.kinds.attention.{module}.on_card", lambda _: True)
            for module in ("moment", "edges", "spans"):
                patch.setattr(
                    f"lib_graph.kinds.attention.{module}.temporary", lambda *_, size=size: size
                )
            for one, other in zip(both(), truth, strict=True):
                assert torch.allclose(one, other, rtol=1e-12, atol=1e-12 * other.abs().max())
