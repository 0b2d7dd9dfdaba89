"""Modules whose course depends on values: recorded batch by batch."""

import pytest
import torch
from torch import nn

import lib_graph
from lib_graph.analysis.reopening import reopened_network
from lib_graph.cutting.points import record
from lib_graph.cutting.recording import NOTICE, recorded
from lib_graph.errors import ModelError, UsageError
from lib_graph.kinds import Linear
from lib_graph.support.progress import Silent
from tests.lib_graph.method.test_interactions import check, rule_of
from tests.lib_graph.nets import STACKED, random_, stacked

LAYERS = {"a": "0:in", "b": "1:in", "c": "2:in", "out": "output"}


class Turning(nn.Linear):
    """Its own branch for every sample, by Python, and an assignment to a slice."""

    def forward(self, x):
        rows = []
        for row in super().forward(x):
            if float(row.sum()) > 0:
                row = torch.tanh(row)
            row = row.clone()
            row[0] = 2 * row[0]
            rows.append(row)
        return torch.stack(rows)


def network_of(module, inputs, **options):
    return recorded(module, (inputs,), LAYERS, **options)


@pytest.fixture
def turning():
    module = random_(nn.Sequential(nn.Linear(3, 4), Turning(4, 4), nn.Linear(4, 2)))
    generator = torch.Generator().manual_seed(1)
    return module, torch.randn(6, 3, generator=generator, dtype=torch.float64)


@pytest.mark.slow
def test_every_batch_takes_its_own_branches(turning):
    module, inputs = turning
    network = network_of(module, inputs)
    for x in (inputs, -inputs, inputs[:1], inputs[2:5]):
        truth = record(module, (x,), LAYERS.values())
        batch = network.run(x)
        for layer, found in zip(network.layers, batch.activations, strict=True):
            assert torch.equal(layer.unpack(found)[0], truth[LAYERS[layer.name]])
    branches = {bool(module[1].weight @ module[0](x) @ torch.ones(4).double()
                     + module[1].bias.sum() > 0) for x in inputs}  # fmt: skip
    assert len(branches) == 2
    assert network.figures["recorded_courses"] > 1


@pytest.mark.slow
def test_derivatives_are_those_along_the_branch(turning):
    module, inputs = turning
    check(network_of(module, inputs), inputs, rule_of("gradient"))


@pytest.mark.slow
def test_it_is_what_tracing_gives_where_both_can():
    module = stacked()
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    network = recorded(module, (x,), STACKED)
    assert [layer.width for layer in network.layers] == [4, 8, 4, 4, 3]
    check(network, x[:2], rule_of("trapezoid"))
    partial = recorded(module, (x,), STACKED, partial=True)
    assert [layer.width for layer in partial.layers] == [4, 4, 4, 4, 3]
    assert (partial.figures["recorded_courses"], partial.figures["held_tensors"]) == (1, 1)


@pytest.mark.slow
def test_a_declared_kind_is_taken_and_checked(turning):
    module, inputs = turning
    kind = Linear(module[2].weight.T, module[2].bias)
    network = network_of(module, inputs, kinds={("c", "out"): kind})
    assert network.sections[2].kind is kind
    with pytest.raises(ModelError, match="after layer 'b' is not the Linear"):
        network_of(module, inputs, kinds={("b", "c"): Linear(module[1].weight.T)})


class Told(Silent):
    def __init__(self):
        self.lines = []

    def say(self, line):
        self.lines.append(line)


@pytest.mark.slow
def test_a_build_says_so_and_keeps_it(turning, tmp_path):
    module, inputs = turning
    told, layers = Told(), [f"{name}={point}" for name, point in LAYERS.items()]
    subject = lib_graph.Subject.of(module, inputs.repeat(3, 1), layers)
    options = lib_graph.Options(rule="gauss-legendre", points=2)
    run = lib_graph.build(subject, tmp_path, options, progress=told)
    (line,) = (line for line in told.lines if NOTICE in line)
    assert line.startswith("torch.export cannot trace the Sequential")
    assert run.manifest.checks["recorded_courses"] >= 1
    assert run.manifest.checks["chain_error"] == 0
    found = reopened_network(run, subject)
    with torch.no_grad():
        assert torch.equal(found.network.run(inputs).activations[-1][:, 0], module(inputs))


@pytest.mark.slow
def test_a_module_that_is_traced_is_not_recorded(tmp_path):
    told = Told()
    run = lib_graph.build(
        nn.Sequential(nn.Linear(3, 2)), tmp_path, data=torch.randn(9, 3),
        layers=["0:in", "output"], progress=told,
    )  # fmt: skip
    assert not any(NOTICE in line for line in told.lines)
    assert "recorded_courses" not in run.manifest.checks


class Detour(nn.Module):
    """Whether something bypasses `first` is decided by values."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x):
        y = self.first(x)
        return self.second(y) if float(x.sum()) > 0 else self.second(y) + x


@pytest.mark.slow
def test_a_branch_that_decides_what_crosses_a_layer_is_an_error():
    layers = {"a": "first:in", "b": "second:in", "out": "output"}
    inputs = torch.ones(3, 3, dtype=torch.float64)
    network = recorded(random_(Detour()), (inputs,), layers)
    with pytest.raises(ModelError, match="so may what crosses layer 'b'"):
        network.run(-inputs)
    assert recorded(random_(Detour()), (inputs,), layers, partial=True).run(-inputs)


class Turned(Detour):
    """As many tensors bypass `first` on both courses, but they need not be the same."""

    def forward(self, x):
        y = self.second(self.first(x))
        return y + x if float(x.sum()) > 0 else y + x.relu()


@pytest.mark.slow
def test_tensors_of_the_same_shape_could_still_be_others():
    layers = {"a": "first:in", "b": "second:in", "out": "output"}
    inputs = torch.ones(3, 3, dtype=torch.float64)
    network = recorded(random_(Turned()), (inputs,), layers)
    assert network.run(2 * inputs)
    with pytest.raises(ModelError, match=r"2 tensors .* need not be the same on each"):
        network.run(-inputs)


class Numpy(nn.Linear):
    def forward(self, x):
        y = super().forward(x)
        return torch.from_numpy(y.numpy() * 2)


class Failing(nn.Linear):
    def forward(self, x):
        if float(x.sum()) > 0:
            raise ArithmeticError("no such luck")
        return super().forward(x)


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("last", "error", "words"),
    [
        (Numpy(3, 3), UsageError, "'1:in' .* does not depend on the data"),
        (Failing(3, 3), ModelError, r"Sequential cannot run on the data .no such luck"),
    ],
)
def test_what_cannot_be_recorded_is_named(tmp_path, last, error, words):
    module, layers = nn.Sequential(nn.ReLU(), last), ["0:in", "1:in", "output"]
    with pytest.raises(error, match=words):
        lib_graph.build(module, tmp_path, data=torch.ones(9, 3), layers=layers)


class Mixing(nn.Linear):
    def forward(self, x):
        y = super().forward(x)
        return y if float(y.sum()) > 0 else -y


def test_a_branch_that_mixes_samples_is_an_error():
    module = nn.Sequential(nn.Linear(2, 2), Mixing(2, 1)).double()
    with torch.no_grad():
        module[0].weight.copy_(torch.eye(2))
        module[0].bias.zero_()
        module[1].weight.fill_(1)
        module[1].bias.zero_()
    x = torch.tensor([[1.0, 1.0], [-9.0, 0.0]], dtype=torch.float64)
    with pytest.raises(ModelError, match=r"'out' .* other samples"):
        recorded(module, (x,), {"a": "0:in", "b": "1:in", "out": "output"})
