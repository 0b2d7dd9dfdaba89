"""The plan of a build: memory that is measured once for sections that are alike."""

import pytest
import torch
from torch import nn

from lib_graph.building import likeness, plan
from lib_graph.building.build import build
from lib_graph.building.plan import make_plan
from lib_graph.cutting.cuts import cut
from lib_graph.errors import UsageError
from lib_graph.kinds import Attention, GatedMLP, Norm
from lib_graph.method.network import Layer, Network, Section
from lib_graph.method.rules import Rule
from tests.lib_graph.language_models import network, tokens

RULE = Rule.named("gradient")
PLENTY = 4 << 30


@pytest.fixture
def measured(monkeypatch):
    """The sections that are measured, each by its layers."""
    found = []
    measure = plan._section_bytes

    def watched(section, *rest, **options):
        found.append((section.source.name, section.target.name))
        return measure(section, *rest, **options)

    monkeypatch.setattr(plan, "_section_bytes", watched)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_sections_that_are_alike_are_measured_once(measured, name):
    _, model = network(name)
    make_plan(model, (tokens(),), 4, PLENTY, RULE)
    ends = {source for source, _ in measured}
    assert len(measured) == 2 * len(ends)  # on two samples and on four
    assert len(ends) == 3  # attention, MLP, and the last norm with its map; of two blocks
    assert len(model.sections) == 5


@pytest.mark.slow
def test_sections_that_differ_are_measured_each(measured):
    _, neo = network("gpt_neo")  # its second attention has a window
    make_plan(neo, (tokens(),), 4, PLENTY, RULE)
    assert {("ln1.0", "ln2.0"), ("ln1.1", "ln2.1")} <= set(measured)


@pytest.mark.slow
def test_sections_of_one_shape_that_nothing_is_known_of_are_measured_each(measured):
    class Wide(nn.Module):
        def forward(self, x):
            return (x[:, :, None] * torch.ones(1, 1, 5000)).sin().mean(-1)

    x = torch.randn(4, 3)
    module = nn.Sequential(nn.Softmax(-1), Wide(), nn.Softmax(-1))
    chain = cut(module, (x,), {"a": "0:in", "b": "1:in", "c": "2:in", "d": "output"})
    make_plan(chain, (x,), 4, PLENTY, RULE)
    assert {source for source, _ in measured} == {"a", "b", "c"}


@pytest.mark.slow
def test_sections_of_other_features_are_measured_each(measured):
    x = torch.randn(4, 3)
    layers = {"a": "0:in", "b": "1:in", "c": "2:in", "d": "3:in", "e": "output"}
    module = nn.Sequential(*(nn.Linear(3, 3) for _ in range(4)))
    chain = cut(module, (x,), layers)
    assert count(measured, chain, x) == 1
    assert count(measured, chain, x, features={"b": 2}) == 3  # before b, after it, and the others
    assert count(measured, chain, x, top=2) == 2  # the last layer takes all of its features


@pytest.mark.slow
def test_sections_of_other_positions_are_measured_each(measured):
    class Last(nn.Module):
        def forward(self, x):
            return x[:, -1:]

    x = torch.randn(4, 5, 3)
    module = nn.Sequential(nn.Linear(3, 3), Last(), nn.Linear(3, 3))
    chain = cut(module, (x,), {"a": "0:in", "b": "1:in", "c": "2:in", "d": "output"})
    assert count(measured, chain, x) == 3


@pytest.fixture
def on_a_card(monkeypatch):
    """The processor, taken for a card that has 1 GiB to take."""
    monkeypatch.setattr(plan, "on_card", lambda _: True)
    monkeypatch.setattr(plan, "free_bytes", lambda _: 1 << 30)


def test_a_card_takes_large_batches_and_keeps_activations_where_they_fit(on_a_card):
    chain, x = deep(2)
    found = make_plan(chain, (x,), 4096, PLENTY, RULE)
    assert (found.batch, found.chunk, found.keep) == (4096, 128, "card")
    assert found.card is not None
    assert "kept on the card" in str(found)
    less = make_plan(chain, (x,), 4096, PLENTY, RULE, card=found.card // 4)
    assert less.card is not None
    assert less.card <= found.card // 4
    assert less.batch < found.batch
    assert less.keep == "memory"


def test_what_fits_nowhere_is_kept_nowhere():
    chain, x = deep(2)
    little = plan.LIBRARIES + (1 << 20)
    found = [make_plan(chain, (x,), 1 << 16, little, RULE, disk=disk) for disk in (0, 1 << 40)]
    assert [each.keep for each in found] == ["nowhere", "disk"]


def test_a_card_that_is_too_small_is_one_line(on_a_card):
    chain, x = deep(2)
    with pytest.raises(UsageError, match=r"not 1000 B\. Give it more with --device-memory"):
        make_plan(chain, (x,), 16, PLENTY, RULE, card=1000)


def test_a_processor_has_no_memory_of_a_card_s(tmp_path):
    with pytest.raises(UsageError, match=r"device_memory is 1 KiB, but the device 'cpu' has no"):
        build(nn.Linear(2, 2), tmp_path / "run", data=torch.ones(2, 2), device_memory=1024)


def deep(blocks):
    """Attention and a gated MLP behind norms, so many times, all of them with other weights."""
    layers, sections = [Layer(0, "0", ((5, 8),))], []
    for number in range(2 * blocks):
        torch.manual_seed(number)
        norm = Norm(torch.rand(8), None, 1e-5, False)
        heads = (torch.randn(2, 8, 4) for _ in range(3))
        attention = Attention(*heads, torch.randn(2, 4, 8), norm=norm)
        mlp = GatedMLP(*(torch.randn(8, 9) for _ in range(2)), torch.randn(9, 8), "silu", norm)
        kind = mlp if number % 2 else attention
        layers.append(Layer(number + 1, str(number + 1), ((5, 8),)))

        def function(tensors, parameters, constants, kind=kind):
            return [kind(tensors[0])]

        sections.append(Section(*layers[-2:], function, {}, (), kind))
    return Network(tuple(layers), tuple(sections), lambda x: ([x], ())), torch.randn(4, 5, 8)


def test_thirty_blocks_take_as_many_measurements_as_two(measured):
    few, many = deep(2), deep(30)
    assert len(many[0].sections) == 60
    for chain, x in (few, many):
        measured.clear()
        make_plan(chain, (x,), 16, PLENTY, RULE)
        assert len(measured) == 4  # attention and the MLP, each on two samples and on four


def count(measured, chain, x, **options):
    """How many of the sections a plan measures."""
    measured.clear()
    make_plan(chain, (x,), 4, PLENTY, RULE, **options)
    return len(set(measured))


@pytest.mark.slow
def test_the_plan_is_that_of_measuring_every_section(monkeypatch):
    _, llama = network("llama")
    little = plan.LIBRARIES + (3 << 20)
    arguments = llama, (tokens(),), 4096, little, RULE
    once = make_plan(*arguments)
    monkeypatch.setattr(likeness, "_likeness", lambda section, *_: id(section))
    every = make_plan(*arguments)
    assert (every.batch, every.chunk, every.keep) == (once.batch, once.chunk, once.keep)
    assert once.batch < 64  # the memory is what limits the batches


@pytest.mark.slow
def test_fewer_features_take_less_memory(monkeypatch):
    for taken in ("resident_bytes", "highest_bytes"):  # by this process, for other tests
        monkeypatch.setattr(plan, taken, lambda: 0)
    x = torch.randn(4, 300)
    module = nn.Sequential(nn.Linear(300, 300), nn.ReLU(), nn.Linear(300, 300), nn.Linear(300, 3))
    chain = cut(module, (x,), {"a": "0:in", "b": "2:in", "c": "3:in", "d": "output"})
    arguments = chain, (x,), 4096, PLENTY, RULE
    assert make_plan(*arguments, top=8).peak < make_plan(*arguments).peak
