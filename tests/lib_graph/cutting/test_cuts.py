from dataclasses import replace

import pytest
import torch
from torch import nn

from lib_graph.cutting.cuts import cut
from lib_graph.cutting.points import record
from lib_graph.cutting.selfcheck import check
from lib_graph.errors import ModelError, NotFoundError, UsageError
from lib_graph.kinds import Linear
from lib_graph.networks.modular_addition import LAYERS, kinds, split
from tests.lib_graph.nets import CONFIG, STACKED, random_, stacked_network, transformer


@pytest.mark.slow
def test_the_chain_of_sections_is_the_module_at_every_layer():
    module, network, inputs = stacked_network()
    batch = network.run(inputs)
    truth = record(module, (inputs,), STACKED.values())
    for layer, found in zip(network.layers, batch.activations, strict=True):
        assert torch.equal(layer.unpack(found)[0], truth[STACKED[layer.name]])


@pytest.mark.slow
def test_other_batch_sizes_and_lengths_than_traced_work():
    module, network, _ = stacked_network()
    for shape in ((1, 2, 3), (9, 2, 3), (3, 5, 3)):
        inputs = torch.randn(shape, dtype=torch.float64)
        assert torch.allclose(network.run(inputs).activations[-1], module(inputs), atol=1e-14)


class Pooled(nn.Module):
    """The mean over an image's pixels, and what a layer makes of it."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 3)

    def forward(self, x):
        return self.linear(x.sum((2, 3)) / (x.shape[2] * x.shape[3]))


@pytest.mark.slow
def test_images_of_other_sides_than_traced_are_refused():
    """Sides are numbers in the graph: it would give what these make of another image."""
    module, images = random_(Pooled()), torch.randn(4, 2, 3, 5, dtype=torch.float64)
    network = cut(module, (images,), {"a": "linear:in", "out": "output"})
    more = torch.randn(7, 2, 3, 5, dtype=torch.float64)
    found = network.run(more).activations[-1].squeeze(1)
    assert torch.allclose(found, module(more), atol=1e-14)
    with pytest.raises(ModelError, match="cut on images of 3 × 5, and these are of 5 × 3"):
        network.run(more.mT)


@pytest.mark.slow
def test_a_skip_connection_becomes_part_of_the_layer():
    _, network, _ = stacked_network()
    assert [len(layer.shapes) for layer in network.layers] == [1, 2, 1, 1, 1]
    assert [layer.width for layer in network.layers] == [4, 8, 4, 4, 3]


@pytest.mark.slow
def test_the_last_layer_may_have_a_bypass():
    module, network, inputs = stacked_network()
    layers = dict([*STACKED.items()][:2])
    network = cut(module, (inputs,), layers)
    assert [len(layer.shapes) for layer in network.layers] == [1, 2]
    assert network.figures["derivative_error"] < 1e-12


class Bypass(nn.Module):
    """Two thin tensors bypass `named`; then they become one wide tensor."""

    def __init__(self):
        super().__init__()
        self.named = nn.Linear(5, 3)
        self.thin = nn.ModuleList(nn.Linear(5, 1) for _ in range(2))
        self.wide = nn.ModuleList(nn.Linear(1, 3) for _ in range(2))

    def forward(self, x):
        bypass = [wide(thin(x)) for thin, wide in zip(self.thin, self.wide, strict=True)]
        return torch.tanh(self.named(x)) + (bypass[0] + bypass[1])


@pytest.mark.slow
def test_a_bypass_is_cut_where_it_is_narrowest_not_where_it_is_fewest():
    module = random_(Bypass())
    x = torch.randn(4, 5, dtype=torch.float64)
    network = cut(module, (x,), {"a": "named:in", "b": "named:out", "c": "output"})
    assert network.layers[1].shapes == ((3,), (1,), (1,))


@pytest.mark.slow
def test_nothing_reaches_a_layer_but_through_the_one_before():
    """The derivative of the chain is the derivative of the module."""
    module, network, inputs = stacked_network()
    batch = network.run(inputs)
    start = batch.activations[0].clone().requires_grad_()
    f = start
    for section in network.sections:
        f = section(f, batch.constants)
    (chained,) = torch.autograd.grad(f.square().sum(), start)
    tail = nn.Sequential(*list(module)[1:])
    (direct,) = torch.autograd.grad(tail(start).square().sum(), start)
    assert torch.allclose(chained, direct, rtol=1e-12)


@pytest.mark.slow
def test_the_module_is_left_as_it_was():
    module, _, inputs = stacked_network()
    before = {name: p.clone() for name, p in module.named_parameters()}
    cut(module, (inputs,), STACKED)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in module.modules())
    assert all(torch.equal(before[name], p) for name, p in module.named_parameters())
    assert all(p.requires_grad for p in module.parameters())


@pytest.mark.slow
def test_layers_of_the_transformer():
    network = cut(transformer(), (split(CONFIG)[0][:4],), LAYERS, kinds=kinds(transformer()))
    assert [(x.name, x.width, x.positions) for x in network.layers] == [
        ("ln1.0", 10, 3),
        ("ln2.0", 10, 1),
        ("unembed", 10, 1),
        ("output", 8, 1),
    ]
    assert network.sections[0].biases == tuple(f"blocks.0.attn.b_{x}" for x in "QKVO")


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize(
    ("layers", "error", "words"),
    [
        ({"a": "1:in", "b": "1.nrm:out"}, NotFoundError, "1.norm:out"),
        ({"a": "2:in", "b": "1:in"}, UsageError, "'b'"),
        ({"a": "1:in", "b": "1:in"}, UsageError, "'b'"),
        ({"a": "1:in"}, UsageError, "two layers"),
    ],
)
def test_layers_that_make_no_chain(layers, error, words):
    module, _, inputs = stacked_network()
    with pytest.raises(error, match=words):
        cut(module, (inputs,), layers)


@pytest.mark.slow
def test_biases_that_are_no_parameters_are_named():
    module, _, inputs = stacked_network()
    some = next(iter(cut(module, (inputs,), STACKED).sections[0].parameters))
    with pytest.raises(NotFoundError, match="Parameter 'nothing' not found"):
        cut(module, (inputs,), STACKED, biases=[some, "nothing"])
    assert cut(module, (inputs,), STACKED, biases=iter([some])).sections[0].biases == (some,)


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.line = nn.Linear(2, 2)

    def forward(self, x):
        y = self.line(x)
        return y if float(y.sum()) > 0 else -y


def test_control_flow_that_depends_on_values_is_named():
    with pytest.raises(ModelError, match="Branching"):
        cut(Branching(), (torch.ones(2, 2),), {"a": "line:in", "b": "output"})


class Mixing(nn.Linear):
    """What a sample gives depends on the others."""

    def forward(self, x):
        return super().forward(x) * x.mean()


@pytest.mark.slow
def test_samples_that_influence_each_other_are_an_error():
    module = random_(nn.Sequential(nn.Linear(3, 3), Mixing(3, 3)))
    x = torch.randn(4, 3, dtype=torch.float64)
    with pytest.raises(ModelError, match=r"'output' .* on the other samples"):
        cut(module, (x,), {"a": "0:in", "b": "1:in", "output": "output"})


@pytest.mark.slow
def test_a_wrong_declaration_is_caught():
    module = random_(nn.Sequential(nn.Linear(3, 4), nn.Tanh()))
    layers = {"a": "0:in", "b": "1:in", "c": "output"}
    x = torch.randn(4, 3, dtype=torch.float64)
    right = Linear(module[0].weight.T, module[0].bias)
    network = cut(module, (x,), layers, kinds={("a", "b"): right})
    assert network.sections[0].kind is right
    for wrong in (Linear(module[0].weight.T, None), Linear(module[0].weight.T[:, :3])):
        with pytest.raises(ModelError, match="after layer 'a' is not the Linear"):
            cut(module, (x,), layers, kinds={("a", "b"): wrong})


class WithoutDerivative(Linear):
    def __call__(self, f):
        return super().__call__(f.detach())


@pytest.mark.slow
def test_a_declaration_with_the_right_value_and_a_wrong_derivative_is_caught():
    module = random_(nn.Sequential(nn.Linear(3, 4), nn.Tanh()))
    wrong = WithoutDerivative(module[0].weight.T, module[0].bias)
    x = torch.randn(4, 3, dtype=torch.float64)
    layers = {"a": "0:in", "b": "1:in", "c": "output"}
    with pytest.raises(ModelError, match=r"WithoutDerivative it was .* \(error 1\.0e\+00"):
        cut(module, (x,), layers, kinds={("a", "b"): wrong})


@pytest.mark.slow
def test_activations_that_are_not_finite_are_named():
    _, network, inputs = stacked_network()
    inputs = inputs.clone()
    inputs[3, 0, 0] = torch.nan
    with pytest.raises(ModelError, match=r"'a'.*sample 3"):
        network.run(inputs)


@pytest.mark.slow
def test_a_chain_that_parts_from_the_module_names_the_layer():
    module, network, inputs = stacked_network()
    assert check(network, module, (inputs,), STACKED)["chain_error"] < 1e-14
    for wrong, layer in enumerate("bcd"):

        def shifted(tensors, *rest, section=network.sections[wrong]):
            return [x + 1e-6 for x in section.function(tensors, *rest)]

        sections = list(network.sections)
        sections[wrong] = replace(sections[wrong], function=shifted)
        with pytest.raises(ModelError, match=f"the module part at layer '{layer}'"):
            check(replace(network, sections=tuple(sections)), module, (inputs,), STACKED)


@pytest.mark.slow
def test_inputs_come_in_any_precision():
    _, network, inputs = stacked_network()
    found = network.run(inputs.float())
    assert all(f.dtype == torch.float64 for f in found.activations)
    assert torch.equal(found.activations[-1], network.run(inputs.float().double()).activations[-1])
