"""Parts with a transcoder beside them: the same result, its derivative by way of the features."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from lib_graph.cutting.standing_in import StandIn, kinds_beside, part_of, with_stand_ins
from lib_graph.errors import UsageError
from lib_graph.kinds import Attention, Linear, Norm, PositionLocal
from lib_graph.method.transcoder import Transcoder
from tests.lib_graph.nets import random_

D, E, R = 3, 4, 6  # inputs, outputs, features
SELECTED = {
    "identity": lambda p: p == p,
    "relu": lambda p: p > 0,
    "jumprelu": lambda p: p > torch.linspace(-0.2, 0.5, R),
    "topk": lambda p: (p >= p.sort().values[..., -2:-1]) & (p > 0),
    "signed-topk": lambda p: p >= p.sort().values[..., -2:-1],
    "abs-topk": lambda p: p.abs() >= p.abs().sort().values[..., -2:-1],
    "groupmax": lambda p: (
        (p == p.unflatten(-1, (2, 3)).amax(-1).repeat_interleave(3, -1)) & (p > 0)
    ),
}


def drawn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def transcoder(activation="relu", reach=1, skip=True, seed=0, width=D, out=E):
    parts = (width, R), (R,), (R, reach, out), (out,)
    threshold = torch.linspace(-0.2, 0.5, R).double() if activation == "jumprelu" else None
    return Transcoder(
        *(drawn(*shape, seed=seed) for shape in parts), activation, threshold,
        2 if activation.endswith(("topk", "max")) else None,
        drawn(width, out, seed=seed) if skip else None,
    )  # fmt: skip


class Part(nn.Module):
    """Takes its input by name, among others, and gives more than one tensor."""

    def __init__(self):
        super().__init__()
        self.linear = random_(nn.Linear(D, E))

    def forward(self, mask, *, x):
        return {"rest": mask, "y": torch.tanh(self.linear(x)), "again": x}


@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("activation", SELECTED)
def test_the_result_is_the_parts_and_its_derivative_that_of_the_features(activation, skip):
    """With the error held as it is, and what is selected held as well."""
    told, x = transcoder(activation, skip=skip), drawn(2, 3, D, seed=5).requires_grad_()
    part = StandIn(Part(), {"here": told}, "here")
    mask = torch.ones(2, dtype=torch.bool)
    found = part(mask, x=x)
    assert torch.allclose(found["y"], part.module(mask, x=x)["y"], rtol=1e-13)
    assert found["rest"] is mask
    assert found["again"] is x
    before = x @ told.encoder + told.encoder_bias
    on = SELECTED[activation](before.detach())
    assert on.any()
    said = (before * on) @ told.decoders[:, 0] + (x @ told.skip if skip else 0)
    t = drawn(2, 3, E)
    (truth,) = torch.autograd.grad((said * t).sum(), x)
    assert torch.allclose(torch.autograd.grad((found["y"] * t).sum(), x)[0], truth, rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_crosses_the_features_is_what_is_told_and_the_error(dtype):
    told, x = transcoder().to(dtype), drawn(5, D).to(dtype)
    part, crossing = StandIn(nn.Linear(D, E).to(dtype), {"here": told}, "here"), []
    part.features.register_forward_hook(lambda _, __, found: crossing.append(found))
    y = part(x)
    features, size, direction, straight = crossing[0].split([R, 1, E, E], -1)
    before = x @ told.encoder + told.encoder_bias
    assert torch.equal(features, before.relu())
    assert torch.equal(straight, x @ told.skip)
    error = y - (features @ told.decoders[:, 0] + told.decoder_bias + straight)
    assert torch.allclose(size * direction, error, rtol=1e-4, atol=1e-6)
    assert torch.allclose(direction.norm(dim=-1), torch.ones(5, dtype=dtype))


def test_an_error_of_0_has_no_direction_and_is_no_trouble():
    told, constant = transcoder(skip=False), nn.Linear(D, E).double()
    told = replace(told, decoders=0 * told.decoders)
    constant.weight.data, constant.bias.data = torch.zeros(E, D).double(), told.decoder_bias
    x = drawn(2, D).requires_grad_()
    y = StandIn(constant, {"here": told}, "here")(x)
    assert torch.equal(y, told.decoder_bias.expand(2, E))
    assert torch.equal(torch.autograd.grad(y.sum(), x)[0], torch.zeros(2, D).double())


class Blocks(nn.Module):
    """x ↦ x + part(norm(x)), block after block, in an order; `twice` runs the last part again."""

    def __init__(self, order=(0, 1, 2), twice=False):
        super().__init__()
        self.norms = random_(nn.ModuleList(nn.LayerNorm(D) for _ in range(3)))
        self.parts = random_(nn.ModuleList(nn.Linear(D, D) for _ in range(3)))
        self.order, self.twice = order, twice

    def forward(self, x):
        for i in self.order:
            x = x + self.parts[i](self.norms[i](x))
        return self.parts[i](x) if self.twice else x


NAMES = "abc"
POINTS = {name: f"parts.{i}:in" for i, name in enumerate(NAMES)}
IN_FRONT = {name: f"norms.{i}:in" for i, name in enumerate(NAMES)}


def across(reach):
    """Transcoders that write to the outputs of so many parts, of those that there are."""
    made = (transcoder(reach=min(reach, 3 - i), seed=i, width=D, out=D) for i in range(3))
    return dict(zip(NAMES, made, strict=True))


@pytest.mark.parametrize("layers", [POINTS, IN_FRONT], ids=["parts", "norms"])
@pytest.mark.parametrize("reach", [1, 2, 3])
def test_features_are_carried_to_the_parts_that_they_write_to(reach, layers):
    """The whole module's result, and its derivative where every error is held."""
    told, net, x = across(reach), Blocks().requires_grad_(), drawn(2, D, seed=7).requires_grad_()
    found, points = with_stand_ins(net, layers, told, POINTS)
    assert points == {name: f"parts.{i}.features:out" for i, name in enumerate(NAMES)}
    assert torch.allclose(found(x), net(x), rtol=1e-13)
    features, at = [], x
    for i, each in enumerate(told.values()):
        n = net.norms[i](at)
        read = at if layers is IN_FRONT else n
        features.append((read @ each.encoder + each.encoder_bias).relu())
        y = read @ each.skip + each.decoder_bias
        for k, earlier in enumerate(told.values()):
            if k <= i < k + reach:
                y = y + features[k] @ earlier.decoders[:, i - k]
        at = at + y + (net.parts[i](n) - y).detach()
    t = drawn(2, D)
    (truth,) = torch.autograd.grad((at * t).sum(), x)
    assert torch.allclose(torch.autograd.grad((found(x) * t).sum(), x)[0], truth, rtol=1e-12)
    assert not any(isinstance(each, StandIn) for each in net.modules())
    assert all(weight.requires_grad for weight in net.parameters())
    assert sum(not weight.requires_grad for weight in found.parameters()) == 3 * 5


def test_parts_that_run_in_another_order_are_refused():
    x = drawn(2, D)
    turned, _ = with_stand_ins(Blocks((1, 0, 2)), POINTS, across(2), POINTS)
    with pytest.raises(UsageError, match="layer 'b' runs before that at layer 'a', or more than"):
        turned(x)
    again, _ = with_stand_ins(Blocks(twice=True), POINTS, across(2), POINTS)
    with pytest.raises(UsageError, match="layer 'c' runs before that at layer 'b', or more than"):
        again(x)
    twice, _ = with_stand_ins(Blocks(twice=True), IN_FRONT, across(1), POINTS)
    with pytest.raises(UsageError, match="layer 'c' runs before its norm, or more than once"):
        twice(x)
    with pytest.raises(UsageError, match=r"Two transcoders are to stand in for 'parts\.0'"):
        with_stand_ins(Blocks(), POINTS, across(1), dict.fromkeys(NAMES, "parts.0:out"))


@pytest.mark.parametrize("point", ["output", "parts.0#2:in", "norms.0:variance"])
def test_what_is_no_end_of_a_part_is_refused(point):
    with pytest.raises(UsageError, match=f"'{point}' is no part's input or output"):
        part_of(point)


def test_closed_forms_are_left_where_no_transcoder_is():
    """Beside one only that nothing passes between positions, which attention does not say."""
    norm, linear = Norm(torch.ones(D), None, 1e-5, centred=True), Linear(drawn(D, D))
    attention = Attention(*(drawn(1, D, 2) for _ in range(3)), drawn(1, 2, D))
    kinds = {("in", "a"): attention, ("a", "b"): norm, ("b", "c"): attention, ("c", "d"): linear}
    assert kinds_beside(kinds, {}) == kinds
    beside = kinds_beside(kinds, {"a": transcoder()})
    assert beside == {
        ("a", "b"): PositionLocal(), ("b", "c"): attention, ("c", "d"): linear,
    }  # fmt: skip
