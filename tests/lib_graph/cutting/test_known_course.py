"""What is followed without torch.export is what torch.export finds, on inputs of all sizes."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from lib_graph.cutting.known_course import known_course
from lib_graph.cutting.known_operations import OPERATIONS
from lib_graph.cutting.survey import surveyed
from lib_graph.cutting.tracing import exported
from lib_graph.networks.modular_addition import AdditionConfig, ModularAddition


class Reader(nn.Module):
    """Reads rows of tokens of any length, with heads that are put side by side."""

    def __init__(self):
        super().__init__()
        self.table, self.norm = nn.Embedding(7, 4), nn.LayerNorm(4)
        self.q, self.o = nn.Linear(4, 4), nn.Linear(4, 4, bias=False)
        self.register_buffer("scale", torch.tensor([0.5]))

    def forward(self, tokens):
        n, s = tokens.shape
        x = self.table(tokens)
        heads = self.q(self.norm(x)).view(n, s, 2, 2).transpose(1, 2)
        scores = torch.matmul(heads, heads.transpose(-1, -2)) / heads.shape[-1] ** 0.5
        seen = (scores.softmax(-1) @ heads).permute(0, 2, 1, 3).reshape(n, s, -1)
        x = x + self.o(functional.gelu(seen)) * self.scale
        x = x / (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()
        return (torch.sigmoid(x[:, 1:]) - torch.tanh(-x[:, :-1]) + 0.5 * x[..., None, 1:, :][:, 0])[
            :, -1
        ]


class Picking(nn.Module):
    """Takes one place, and of what follows it some."""

    def forward(self, x):
        return x[:, 0, 1:] - x[:, 2, ::2] * x[:, -1, None, :2][:, 0]


def _mlp(activation):
    return nn.Sequential(nn.Linear(3, 4), activation, nn.Sequential(nn.Linear(4, 2, bias=False)))


CASES = {
    "relu": (_mlp(nn.ReLU()), [torch.randn(4, 3)], ["1:in", "2.0:out"]),
    "gelu": (_mlp(nn.GELU("tanh")), [torch.randn(4, 5, 3)], ["0:out"]),
    "silu": (_mlp(nn.SiLU()), [torch.randn(4, 5, 3).double()], []),
    "addition": (
        ModularAddition(AdditionConfig(modulus=5, d_vocab=6, d_model=8, d_head=2, d_mlp=8)),
        [torch.randint(0, 6, (4, 3))],
        ["blocks.0.attn:in", "blocks.0.mlp:in", "unembed:in"],
    ),
    "picking": (Picking(), [torch.randn(4, 3, 3).double()], []),
    "reader": (Reader(), [torch.randint(0, 7, (4, 5))], ["norm:in"]),
}


def course_of(module, inputs, wanted):
    return surveyed(module, tuple(inputs), wanted)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_graph_does_what_that_of_torch_export_does(name):
    module, inputs, wanted = CASES[name]
    module = module.to(inputs[0].dtype if inputs[0].is_floating_point() else torch.float64)
    for parameter in module.requires_grad_(False).parameters():
        nn.init.normal_(parameter)
    course = course_of(module, inputs, wanted)
    known = known_course(module, tuple(inputs), wanted, course)
    other = exported(module, tuple(inputs), wanted, course)
    assert known is not None
    other.module.recompile()  # buffers have become its own
    assert sorted(known.points) == sorted(other.points) == sorted(wanted)
    assert [*known.parameters.values()] == [*other.parameters.values()]
    parameters = [dict(module.named_parameters())[x] for x in known.parameters.values()]
    for x in (inputs[0], torch.cat([inputs[0]] * 3), inputs[0][:1]):
        (found,), (truth,) = (graph.module(*parameters, x) for graph in (known, other))
        assert torch.equal(found, truth)
    longer = torch.cat([inputs[0], inputs[0]], 1)
    if name == "reader":
        (found,), (truth,) = (graph.module(*parameters, longer) for graph in (known, other))
        assert torch.equal(found, truth)


class Keyword(nn.Module):
    def forward(self, x):
        return torch.add(x, x, alpha=2)


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(3))

    def forward(self, x):
        self.count = self.count + 1
        return x * self.count


class Steep(torch.autograd.Function):
    forward = staticmethod(lambda ctx, x: x * 1)
    backward = staticmethod(lambda ctx, slope: slope * 3)


ELSEWHERE = {
    "in place": lambda x: (x * 1).mul_(2),
    "own derivative": lambda x: Steep.apply(x),
    "without derivative": lambda x: x + _without_derivative(x),
    "through numpy": lambda x: x * torch.from_numpy(np.array(x.detach())),
    "by its values": lambda x: x * 2 if float(x.sum()) > 0 else x,
    "by its length": lambda x: x * 2 if x.shape[0] > 3 else x,
    "as often as it has samples": lambda x: sum([x * 1 for _ in range(x.shape[0])], x),
    "with its length in a sum": lambda x: x * (x.shape[0] + 1),
    "with its length halved": lambda x: x * (x.shape[0] // 100 + 1),
    "with half its length, rounded up": lambda x: x * math.ceil(x.shape[0] / 2),
    "with its places": lambda x: x * len(x),
    "what is made of nothing": lambda x: x + torch.ones(3),
    "what nobody knows": lambda x: torch.special.erfcx(x),
    "a number as an index": lambda x: x[torch.tensor([0, 0, 1, 1])[: len(x)]],
    "truth as an index": lambda x: x[True],
    "in another precision": lambda x: _cast(x),
    "softmax in another type": lambda x: x.softmax(-1, dtype=torch.float64),
    "in place, unseen": lambda x: _unseen(x * 1),
    "by what fails": lambda x: x + _tried(lambda: torch.special.erfcx(x)),
    "by what nobody expects": lambda x: x + _tried(lambda: torch.add(x, x, alpha=2)),
    "by what its length fails at": lambda x: x * _tried(lambda: x.shape[1] // 100 + 1),
}


def _without_derivative(x):
    with torch.no_grad():
        return x * 2


def _cast(x):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return torch.matmul(x, x.transpose(0, 1))


def _unseen(x):
    with torch._C.DisableTorchFunction():
        x.mul_(2)
    return x


def _tried(what):
    try:
        return what()
    except Exception:
        return 3


class Does(nn.Module):
    def __init__(self, what):
        super().__init__()
        self.what = what

    def forward(self, *xs):
        return self.what(*xs)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_whatever_else_a_module_does_is_left_to_torch_export(name):
    module, x = Does(ELSEWHERE[name]), torch.linspace(0.1, 1, 12).reshape(4, 3)
    assert known_course(module, (x,), [], course_of(module, (x,), [])) is None


SIZES = {
    "half, rounded up": (lambda x: x[:, : (x.shape[1] + 1) // 2], [(4, 8, 3)]),
    "a quotient, rounded up": (lambda x: x[:, : math.ceil(x.shape[1] / 3)], [(4, 9, 3)]),
    "half, in bits": (lambda x: x * (x.shape[1] >> 1), [(4, 9, 3)]),
    "no more than": (lambda x: x * min(int(x.shape[1]), 3), [(4, 9, 3)]),
    "no more places than": (lambda x: x * min(len(x[0]), 3), [(4, 9, 3)]),
    "of pairs": (lambda x: x.reshape(x.shape[0], -1, 2, 3) / x.shape[1] ** 0.5, [(4, 8, 3)]),
    "of squares": (lambda x: x @ x / x.shape[1] ** 0.5, [(4, 5, 5)]),
    "beside a mask": (
        lambda x, mask: x @ x.transpose(1, 2) / math.sqrt(x.shape[1]) + mask,
        [(4, 5, 3), (4, 5, 5)],
    ),
    "one beside another": (lambda x, y: (x[:, 1:] + y) * x.shape[1] ** 0.5, [(4, 5, 3), (4, 4, 3)]),
}


@pytest.mark.parametrize("name", SIZES)
def test_numbers_that_come_of_lengths_are_left_to_torch_export(name):
    what, shapes = SIZES[name]
    xs = tuple(torch.linspace(0.1, 1, math.prod(shape)).reshape(shape) for shape in shapes)
    assert known_course(Does(what), xs, [], course_of(Does(what), xs, [])) is None


class Named(nn.Module):
    """Has names that are alike once their dots are gone, and a number of numpy's."""

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 3)
        self.a_weight = nn.Parameter(torch.tensor([2.0, 3.0, 4.0]))
        self.a.register_buffer("b", torch.tensor([5.0, 6.0, 7.0]))
        self.register_buffer("a_b", torch.tensor([8.0, 9.0, 10.0]))

    def forward(self, x):
        return (self.a(x) * self.a_weight + self.a.b) * self.a_b * np.sqrt(2.0)


def test_names_that_are_alike_are_kept_apart():
    module, x = Named().requires_grad_(False), torch.linspace(0.1, 1, 12).reshape(4, 3)
    found = known_course(module, (x,), [], course_of(module, (x,), []))
    assert found is not None
    parameters = [dict(module.named_parameters())[name] for name in found.parameters.values()]
    assert torch.equal(found.module(*parameters, x)[0], module(x))


def test_what_the_graph_would_do_otherwise_is_left_to_torch_export(monkeypatch):
    module, x = Does(functional.silu), torch.linspace(0.1, 1, 12).reshape(4, 3)
    assert known_course(module, (x,), [], course_of(module, (x,), [])) is not None
    monkeypatch.setitem(
        OPERATIONS, functional.silu, lambda to, x, inplace: to.call(torch.ops.aten.gelu.default, x)
    )
    assert known_course(module, (x,), [], course_of(module, (x,), [])) is None


@pytest.mark.parametrize("module", [Keyword(), Counting(), nn.Sequential(nn.ReLU(inplace=True))])
def test_modules_that_do_more_are_left_to_torch_export(module):
    x = torch.linspace(-1, 1, 12).reshape(4, 3)
    before = x.clone()
    assert known_course(module, (x,), [], course_of(module, (x,), [])) is None
    assert torch.equal(x, before)


def test_one_tensor_as_two_arguments_is_left_to_torch_export():
    class Both(nn.Module):
        def forward(self, x, y):
            return x + 2 * y

    x = torch.ones(4, 3)
    assert known_course(Both(), (x, x), [], course_of(Both(), (x, x), [])) is None
    found = known_course(Both(), (x, x.clone()), [], course_of(Both(), (x, x.clone()), []))
    assert found is not None
    assert torch.equal(found.module(x, 2 * x)[0], 5 * x)


@pytest.mark.slow
def test_a_small_build_loads_no_compiler(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import torch\n"
        "make = lambda: torch.nn.Sequential("
        "torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))\n"
        "make_data = lambda: torch.randn(20, 3)\n"
    )
    ask = (
        "import atexit, sys; atexit.register(lambda: print('torch._dynamo' in sys.modules));"
        "from queries.cli.console import run; run()"
    )
    layers = "in=0:in,hidden=2:in,output"
    told = subprocess.run(
        [sys.executable, "-c", ask, "build", "mine.py:make", "--layers", layers, "--out", "run"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert told.stdout.splitlines()[-1] == "False"
