"""A kind that is written here alone: all that it says of itself is asked, and nothing else is."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import nn

import lib_graph
from lib_graph.analysis.ablation.narrowing import narrowed
from lib_graph.analysis.degeneracy.gauges import Gauge, gauges_of
from lib_graph.analysis.degeneracy.tables import degeneracy_of
from lib_graph.cutting.composing import compose
from lib_graph.cutting.cuts import cut
from lib_graph.errors import ModelError
from lib_graph.kinds import Ends, Kind, Linear, LinearMap, PositionLocal
from lib_graph.method.interactions import interaction_moments
from lib_graph.method.jacobians import second_moment
from lib_graph.method.moments import counted_rows
from lib_graph.method.network import Batch, Layer, Section
from lib_graph.method.rules import Rule
from lib_graph.support.devices import exact
from tests.lib_graph.nets import random_, random_basis

D, N, S = 4, 5, 3
GRADIENT, PATH = Rule.named("gradient"), Rule.named("trapezoid", 3)


class Scaling(nn.Module):
    def __init__(self, d: int) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.ones(d))

    def forward(self, x):
        return x * self.g


@dataclass(frozen=True)
class Scale(Kind):
    """F(f) = f ∘ g."""

    g: torch.Tensor

    @property
    def local(self):
        return True

    @property
    def reads_linearly(self):
        return True

    def __call__(self, f):
        return f * self.g

    def second_moment(self, f, next_rotation, rule, counted=None):
        half = self.g[:, None] * next_rotation
        return exact(half @ half.T) * len(counted_rows(f, counted))

    def interactions(self, question):
        weights = (question.inverse * self.g) @ question.readout.rotation
        for some in question.sources():
            values = some.values.movedim(-1, 0)[..., None]
            yield question.readout.moments(values * weights[some.which][:, None, None])

    def then(self, following):
        return Scale(self.g * following.g) if isinstance(following, Scale) else None

    def after(self, previous):
        if not isinstance(previous, Linear):
            return None
        bias = None if previous.bias is None else previous.bias * self.g
        return Linear(previous.weight * self.g, bias)

    def narrowed(self, ends):
        moved = ends.read(ends.directions * self.g), ends.read(ends.offset * self.g)
        return lambda c: c @ moved[0] + moved[1]

    def masked(self, ends, mask):
        weight = ends.read(ends.directions * self.g) * mask
        return lambda c: c @ weight + ends.read(ends.offset * self.g)

    def linear_maps(self):
        return (LinearMap("scale", torch.diag(self.g), None, lambda f: f),)

    def gauges(self):
        return {"inside": 1}

    def output_gauges(self):
        return {"behind": D}


def drawn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def section(kind, index=0, function=None):
    """A section of a kind, of which there is nothing else unless a function is given."""
    layers = (Layer(index + i, f"layer {index + i}", ((S, D),)) for i in range(2))
    return Section(*layers, function, {}, (), kind)


def of(kind):
    """What a section computes, for the general way."""
    return lambda tensors, *_: [kind(tensors[0])]


@pytest.mark.parametrize("rule", [GRADIENT, PATH], ids=lambda rule: rule.name)
@pytest.mark.parametrize("counted", [None, torch.tensor([[True, True, False]] * N)])
def test_its_closed_forms_stand_for_the_general_way(rule, counted):
    kind, f = Scale(drawn(D)), drawn(N, S, D)
    batch = Batch((f, kind(f)), (), counted)
    bases = random_basis(D, 3), random_basis(D, 2, seed=1)
    closed, general = section(kind), section(Kind(), function=of(kind))
    found, truth = (second_moment(s, batch, bases[1].rotation, rule, 2) for s in (closed, general))
    assert torch.allclose(found, truth, rtol=1e-12)
    found, truth = (interaction_moments(s, batch, *bases, rule, 2) for s in (closed, general))
    for name in ("strength", "effect", "stderr"):
        one, other = getattr(found, name), getattr(truth, name)
        assert torch.allclose(one, other, rtol=1e-10, atol=1e-12), name


def test_it_says_what_it_is_with_its_neighbours():
    g, h = drawn(D), drawn(D, seed=1)
    line = Linear(drawn(D, D), drawn(D))

    def whole(*kinds):
        return compose([section(kind, i) for i, kind in enumerate(kinds)]).kind

    assert torch.equal(whole(Scale(g), Scale(h)).g, g * h)
    found, f = whole(line, Scale(g), Scale(h)), drawn(2, S, D)
    assert isinstance(found, Linear)
    assert torch.allclose(found(f), line(f) * g * h, rtol=1e-13)
    assert whole(Scale(g), line) == whole(PositionLocal(), Scale(g)) == PositionLocal()
    assert type(whole(Scale(g), Kind())) is Kind


def test_its_gauges_are_counted():
    kinds = [Linear(drawn(D, D)), Scale(drawn(D)), Scale(drawn(D)), Kind()]
    assert gauges_of([section(kind, i) for i, kind in enumerate(kinds)]) == [
        Gauge("layer 1", "inside", 1),
        Gauge("layer 2", "inside", 1),
        Gauge("layer 0", "basis between two linear maps", D * D),
        Gauge("layer 1", "behind", D),
    ]


def test_it_is_narrow_between_few_features():
    kind, ends = Scale(drawn(D)), Ends(drawn(2, D), drawn(D, seed=1), drawn(D, 3))
    c = drawn(N, S, 2)
    found = narrowed(section(kind), ends)(c, ())
    general = narrowed(section(Kind(), function=of(kind)), ends)(c, ())
    assert torch.allclose(found, general, rtol=1e-12)


def make_kinds(module):
    return {("scaled", "read"): Scale(module[1].g)}


@pytest.mark.slow
def test_a_whole_network_with_it(tmp_path):
    module = random_(nn.Sequential(nn.Linear(D, D), Scaling(D), nn.Linear(D, D)))
    data, layers = drawn(40, D), ["x=0:in", "scaled=1:in", "read=2:in", "output"]
    runs = {}
    for name, kinds in {"declared": make_kinds, "plain": None}.items():
        subject = lib_graph.Subject.of(module, data, layers, kinds)
        runs[name] = lib_graph.build(subject, tmp_path / name), subject
    ends = ["source_layer", "source", "target"]
    one, two = (run.interactions.set_index(ends).strength for run, _ in runs.values())
    assert one.sub(two, fill_value=0).abs().max() < 1e-9 * two.max()
    tables = degeneracy_of(*runs["declared"])
    assert tables.maps["map"].tolist() == ["weight", "scale", "weight"]
    assert tables.gauges.name.tolist() == ["inside", "basis between two linear maps", "behind"]


def network(kind, function):
    """A network of one such section, cut out of a module."""

    class Module(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.start = nn.Identity()

        def forward(self, x):
            return function(self.start(x))

    layers = {"a": "start:in", "b": "output"}
    return cut(Module(), (drawn(N, S, D),), layers, kinds={("a", "b"): kind})


class Untold(Scale):
    """It has closed forms, and does not say of what."""

    def __call__(self, f):
        return None


class Mixing(Scale):
    """It says F(f) as it is, but that nothing passes between positions."""

    def __call__(self, f):
        return f * self.g + f.sum(1, keepdim=True)


@pytest.mark.slow
def test_what_is_wrong_of_it_is_refused():
    g = drawn(D)
    assert network(Scale(g), lambda x: x * g).figures["kind_error"] < 1e-12
    with pytest.raises(ModelError, match="is not the Scale it was declared to be"):
        network(Scale(2 * g), lambda x: x * g)
    with pytest.raises(ModelError, match="is not the Mixing it was declared to be"):
        network(Mixing(g), lambda x: x * g + x.sum(1, keepdim=True))
    with pytest.raises(ModelError, match="'a' to 'b' was declared to be a Scaling, which is none"):
        network(Scaling(D), lambda x: x * g)
    with pytest.raises(ModelError, match=r"has second_moment\(\) but no __call__\(f\)"):
        network(Untold(g), lambda x: x * g)
