"""The copy that is cut is the module as it was given, or there is a line that says why not."""

from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.nn import functional

import lib_graph
from lib_graph.cutting.copies import fresh, in_precision, unwrapped
from lib_graph.cutting.cuts import cut
from lib_graph.cutting.points import record, shapes
from lib_graph.cutting.selfcheck import check
from lib_graph.cutting.survey import check_copy
from lib_graph.errors import ModelError, UsageError
from tests.lib_graph.zoo import Two, filled, numbers
from tests.lib_graph.zoo.test_constants import Fourier
from tests.lib_graph.zoo.test_state import Counting
from tests.lib_graph.zoo.test_weights import Shared

LAYERS = ["a=first:in", "b=last:in", "output"]
POINTS = {"a": "first:in", "b": "last:in", "out": "output"}


def built(module, tmp_path, **options):
    return lib_graph.build(
        module, tmp_path, lib_graph.Options(**options), data=numbers(7, 4), layers=LAYERS
    )


def in_parts(module):
    module.first = torch.compile(module.first)
    return module


def in_place(module):
    module.compile()
    return module


@pytest.mark.slow
@pytest.mark.parametrize("wrap", [nn.DataParallel, torch.compile, in_parts, in_place])
def test_what_is_around_a_module_is_taken_off(wrap):
    module = filled(Two())
    names = [*dict(module.named_parameters())]
    found = unwrapped(wrap(module))
    assert type(found) is Two
    assert [*dict(found.named_parameters())] == names
    assert type(found.first) is nn.Linear
    assert found._compiled_call_impl is None
    assert torch.equal(found(numbers(3, 4)), filled(Two())(numbers(3, 4)))


@pytest.mark.slow
def test_a_wrapped_module_gives_the_same_run(tmp_path):
    runs = [
        built(module, tmp_path / str(i))
        for i, module in enumerate([filled(Two()), torch.compile(filled(Two()))])
    ]
    assert runs[0].id == runs[1].id


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
@pytest.mark.parametrize("part", [False, True])
def test_a_script_is_refused_with_the_line_that_helps(part):
    module = filled(Two())
    if part:
        module.last = torch.jit.script(module.last)
    else:
        module = torch.jit.script(nn.Sequential(nn.Linear(2, 2)))
    where = "Its part 'last'" if part else "The Sequential"
    with pytest.raises(ModelError, match=f"{where} is a ScriptModule.*Pass the module that it was"):
        unwrapped(module)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
@pytest.mark.parametrize("norm", [nn.utils.weight_norm, nn.utils.spectral_norm])
def test_old_norms_of_weights_that_have_run(norm, tmp_path):
    """They keep a weight that is computed, which copy.deepcopy refuses."""
    torch.manual_seed(0)
    module = filled(Two())
    norm(module.first)
    module(numbers(3, 4))
    run = built(module.eval(), tmp_path)
    assert run.manifest.checks["module_error"] < 1e-6


class Noisy(Two):
    def between(self, x):
        return x + torch.randn_like(x)


class Dropping(Two):
    def between(self, x):
        return functional.dropout(x, 0.5, True)


@pytest.mark.parametrize("make", [Noisy, Dropping])
def test_a_module_that_answers_differently_twice_is_random(make):
    module, x = filled(make()), numbers(4, 4)
    with pytest.raises(ModelError, match=f"The {make.__name__} is random"):
        cut(module, (x,), POINTS)
    with pytest.raises(ModelError, match=f"The {make.__name__} is random"):
        check_copy(in_precision(module, torch.float64), module, (x.double(),), ["output"])


def test_data_that_are_not_finite_are_no_random_module():
    module, x = filled(Two()), numbers(4, 4)
    x[1, 2] = x[3, 0] = torch.nan
    said = "The data are not finite: argument 0 of the Two .* first 4 samples in 1, 3 "
    with pytest.raises(ModelError, match=said):
        cut(module, (x,), POINTS)
    with pytest.raises(ModelError, match=said):
        check_copy(in_precision(module, torch.float64), module, (x.double(),), ["output"])


def test_weights_that_are_not_finite_are_no_random_module():
    module = filled(Two())
    next(iter(module.parameters())).data.view(-1)[0] = torch.nan
    with pytest.raises(ModelError, match="results of the Two are not finite on finite data"):
        cut(module, (numbers(4, 4),), POINTS)


class Precise(Two):
    """Another network in float64."""

    def between(self, x):
        return torch.tanh(x) if x.dtype == torch.float32 else x


def test_a_copy_that_is_another_network_is_refused():
    module, x = filled(Precise()), numbers(4, 4).double()
    with pytest.raises(ModelError, match=r"In torch.float64 the Precise is not .* at 'last:in'"):
        check_copy(in_precision(module, torch.float64), module, (x,), ["first:in", "last:in"])


def test_complex_weights_that_lose_their_imaginary_part_are_seen():
    module, x = filled(Fourier()), numbers(4, 4).double()
    copy = in_precision(module, torch.float64)
    assert copy.weight.dtype == copy.phase.dtype == torch.complex128
    assert check_copy(copy, module, (x,), ["output"]) < 1e-5
    copy.weight.data = copy.weight.data.real.to(torch.complex128)
    with pytest.raises(ModelError, match="is not what it is as it was given"):
        check_copy(copy, module, (x,), ["output"])


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale, self.tables = torch.ones(2), {"a": [torch.ones(3), torch.arange(2)]}
        self.rnn = nn.LSTM(2, 2)


def test_tensors_that_are_plain_attributes_are_converted():
    module = Plain()
    copy = in_precision(module, torch.float64)
    assert copy.scale.dtype == copy.tables["a"][0].dtype == torch.float64
    assert copy.tables["a"][1].dtype == torch.int64
    assert copy.rnn._flat_weights[0] is copy.rnn.weight_ih_l0
    assert module.scale.dtype == module.tables["a"][0].dtype == torch.float32


def test_nothing_that_forward_changes_is_the_modules_own():
    module, x = filled(Counting()).eval(), numbers(4, 4)
    before, data = module.average.clone(), x.clone()
    copy = fresh(module)
    assert copy.first.weight is module.first.weight
    one, other = (record(module, (x,), ["output"])["output"] for _ in range(2))
    assert torch.equal(one, other)
    assert torch.equal(x, data)
    assert torch.equal(module.average, before)
    assert (module.calls, module.last_seen) == (0, None)


@pytest.mark.slow
def test_what_a_module_changes_is_said():
    module = in_precision(filled(Counting()), torch.float64)
    x = numbers(4, 4).double()
    network = cut(module, (x,), POINTS)
    (note,) = network.notes
    assert note.startswith(
        "The module changes argument 0, average, calls as it runs. That is left out"
    )
    assert torch.equal(network.run(x).activations[-1], network.run(x).activations[-1])


def test_each_use_of_a_submodule_is_a_point_under_all_of_its_names():
    module, x = filled(Shared()), numbers(3, 4)
    listed = shapes(module, (x,))
    assert [point for point in listed if point.startswith("block") and point.endswith("in")] == [
        "block#1:in", "block#2:in", "block:in",
    ]  # fmt: skip
    wanted = ["block#2:in", "again#2:in", "block:in", "again#3:in"]
    found = record(module, (x,), wanted)
    assert torch.equal(found["block#2:in"], found["again#2:in"])
    assert torch.equal(found["block:in"], found["again#3:in"])
    assert not torch.equal(found["block:in"], found["block#2:in"])
    for missing in ("block#4:in", "first#2:out"):
        with pytest.raises(UsageError, match=f"'{missing}' is not computed"):
            cut(module, (x,), {"a": missing, "out": "output"})


class NoForwardMode(Two):
    def between(self, x):
        return torch.special.zeta(x.abs() + 2, torch.ones_like(x))


@pytest.mark.slow
def test_what_has_no_derivative_is_named():
    module = in_precision(filled(NoForwardMode()), torch.float64)
    with pytest.raises(ModelError, match=r"after layer 'a' has no derivative of both modes"):
        cut(module, (numbers(4, 4).double(),), POINTS)


class Clip(torch.autograd.Function):
    """Not linear in the gradient."""

    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, gradient):
        return gradient.clamp(-0.1, 0.1)


class Numpy(torch.autograd.Function):
    """Its backward leaves torch."""

    @staticmethod
    def forward(ctx, x):
        return x.sign()

    @staticmethod
    def backward(ctx, gradient):
        return torch.from_numpy(gradient.numpy() * 2)


class Applying(Two):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def between(self, x):
        return self.function.apply(x)


@pytest.mark.parametrize(
    ("function", "reason"), [(Clip, "is not linear"), (Numpy, "fails .Can't call numpy")]
)
def test_a_backward_that_is_no_derivative_is_refused(function, reason):
    module = in_precision(filled(Applying(function)), torch.float64)
    with pytest.raises(ModelError, match=f"'{function.__name__}' has a backward .* that {reason}"):
        cut(module, (numbers(4, 4).double(),), POINTS)


class Stopping(Two):
    """No derivative of it is taken, in one of two ways."""

    def __init__(self, within):
        super().__init__()
        self.within = within

    def forward(self, x):
        with self.within():
            return super().forward(x)


@pytest.mark.slow
@pytest.mark.parametrize("within", [torch.no_grad, torch.inference_mode])
def test_a_module_that_says_no_derivative_is_held_to_that(within):
    module, x = in_precision(filled(Stopping(within)), torch.float64), (numbers(4, 4).double(),)
    network = cut(module, x, POINTS)
    assert network.figures["derivative_error"] == 0
    module.within = nullcontext
    free = cut(module, x, POINTS)
    module.within = within
    with pytest.raises(ModelError, match="derivative of the sections is not that of the Stopping"):
        check(free, module, x, POINTS)


@pytest.mark.parametrize("other", [torch.ones(3, 4), torch.tensor(2.0)])
def test_data_of_different_numbers_of_samples_are_refused(other, tmp_path):
    with pytest.raises(UsageError, match=r"have 7, [03] samples"):
        lib_graph.build(Two(), tmp_path, data=(numbers(7, 4), other), layers=LAYERS)


class Clipped(torch.autograd.Function):
    """Its backward is that of its forward, but for large gradients: some data show nothing."""

    @staticmethod
    def forward(ctx, x):
        return x * 1

    @staticmethod
    def backward(ctx, gradient):
        return gradient.clamp(-1, 1)


class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 1

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


class Around(nn.Module):
    """A function between two linear maps."""

    def __init__(self, function):
        super().__init__()
        self.up, self.down, self.function = nn.Linear(3, 4), nn.Linear(4, 2), function

    def forward(self, x):
        return self.down(self.function(self.up(x)))


@pytest.mark.parametrize("function", [Clipped, Twice])
def test_a_function_under_another_name_is_refused(function):
    x = 1e-3 * torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    points = {"a": "up:in", "b": "down:in", "output": "output"}
    with pytest.raises(ModelError, match=f"Write {function.__name__}.apply"):
        cut(Around(function.apply), (x,), points)


@pytest.mark.slow
def test_a_function_by_its_own_name_is_followed():
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    points = {"a": "up:in", "b": "down:in", "output": "output"}
    network = cut(Around(lambda h: Twice.apply(h)), (x,), points)
    assert network.figures["derivative_error"] < 1e-4
