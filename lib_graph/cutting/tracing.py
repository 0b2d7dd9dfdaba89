"""A module as a graph of tensor operations, traced by `torch.export` and never changed.

Identity operations, put at the wanted points by hooks, survive the tracing and name the tensors.
"""

from __future__ import annotations

import io
import logging
import operator
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export.graph_signature import OutputKind
from torch.func import functional_call, functionalize
from torch.fx.experimental.proxy_tensor import make_fx

from lib_graph.cutting.arguments import POSITIONAL, Form
from lib_graph.cutting.copies import fresh
from lib_graph.cutting.following import default_type, followed
from lib_graph.cutting.operations import cleaned
from lib_graph.cutting.own_derivatives import OwnDerivatives
from lib_graph.cutting.points import OUTPUT, result_of, visits
from lib_graph.errors import LibGraphError, UntraceableError, UsageError

__all__ = ["Course", "TracedModule", "recording", "trace"]

aten = torch.ops.aten
LEFT_ALONE = {
    operator.add, operator.floordiv, operator.mul, operator.sub, aten.sym_size.int,
    aten.abs.default, aten.add.Tensor, aten.bmm.default, aten.cat.default, aten.cos.default,
    aten.div.Tensor, aten.einsum.default, aten.embedding.default, aten.exp.default,
    aten.expand.default, aten.gelu.default, aten.layer_norm.default, aten.linear.default,
    aten.matmul.default, aten.mean.dim, aten.mul.Tensor, aten.neg.default, aten.permute.default,
    aten.pow.Tensor_Scalar, aten.relu.default, aten.rsqrt.default, aten.select.int,
    aten.sigmoid.default, aten.silu.default, aten.sin.default, aten.slice.Tensor,
    aten.softmax.int, aten.sqrt.default, aten.squeeze.dim, aten.sub.Tensor, aten.sum.dim_IntList,
    aten.tanh.default, aten.transpose.int, aten.unsqueeze.default,
}  # fmt: skip
"""Operations that new tensors come out of, or views, and that torch does not take apart"""


@torch.library.custom_op("lib_graph::mark", mutates_args=())
def _mark(x: Tensor, point: str) -> Tensor:
    """Name a tensor in the traced graph."""
    return x.clone()


@_mark.register_fake
def _(x: Tensor, point: str) -> Tensor:
    return torch.empty_like(x)


@dataclass(frozen=True)
class Course:
    """How a module is to be followed: its arguments, precision, and own derivatives.

    `overwritten` are the points whose tensors the module changes in place afterwards.
    """

    form: Form = POSITIONAL
    dtype: torch.dtype = torch.float32
    own: OwnDerivatives = field(default_factory=OwnDerivatives)
    overwritten: frozenset[str] = frozenset()

    def visit(self, x: Tensor, point: str) -> Tensor:
        """Return a tensor with its name. What others see change in place stays one tensor."""
        marked = _mark(x, point)
        return x.copy_(marked) if point in self.overwritten else marked


@dataclass(frozen=True)
class TracedModule:
    """A traced module: its graph, parameters by placeholder, marked nodes by point.

    `changed` names the buffers and inputs that the module changes, which is left out.
    """

    module: fx.GraphModule
    parameters: Mapping[fx.Node, str]
    points: Mapping[str, fx.Node]
    changed: tuple[str, ...] = ()

    @property
    def nodes(self) -> list[fx.Node]:
        """All nodes in the order of the computation, the result last."""
        return list(self.module.graph.nodes)

    @property
    def inputs(self) -> list[fx.Node]:
        """The placeholders of the module's inputs."""
        return [n for n in self.nodes if n.op == "placeholder" and n not in self.parameters]

    @property
    def results(self) -> list[fx.Node]:
        """The tensors that the module returns."""
        return list(self.nodes[-1].args[0])  # type: ignore[arg-type]


class _Followed(nn.Module):
    """A module that takes its tensors side by side, and returns the one that it counts as."""

    def __init__(self, module: nn.Module, course: Course) -> None:
        super().__init__()
        self.module = module
        self._course = course

    def forward(self, values: tuple[Tensor, ...]) -> list[Tensor]:
        with followed(self._course.dtype, self.module, values), self._course.own.traced():
            return [result_of(self.module, values, self._course.form, clone=False)]


def trace(
    module: nn.Module, inputs: tuple[Tensor, ...], wanted: Sequence[str], course: Course
) -> TracedModule:
    """Return the graph of a module on an example batch, with the tensors at the wanted points.

    Sizes of all axes of the inputs stay symbolic. Raises UsageError for a point that this input
    does not reach, UntraceableError if the module cannot be traced.
    """
    auto = torch.export.Dim.AUTO
    dynamic = (tuple(dict.fromkeys(range(x.ndim), auto) for x in inputs),)
    whole = _Followed(fresh(module), course)
    try:
        with visits(whole.module, wanted, course.visit), _silence(), default_type(course.dtype):
            program = torch.export.export(whole, (inputs,), dynamic_shapes=dynamic, strict=False)
            if not _as_it_stays(program):
                program = program.run_decompositions({})
            traced = program.graph_module
            _check_samples_free(traced, program)
            parameters, changed = _signature(traced, program, course.form)
            return _traced(traced, parameters, wanted, changed)
    except LibGraphError:
        raise
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UntraceableError(
            f"torch.export cannot trace the {type(module).__name__} ({reason[0]}). Control flow "
            "that depends on values cannot be traced."
        ) from error
    finally:
        course.own.forget()


def _as_it_stays(program: torch.export.ExportedProgram) -> bool:
    """Return whether all operations are among those that `run_decompositions` leaves alone.

    It follows the graph once more, which takes as long as tracing did, to take composed operations
    apart and to put others in place of those that change tensors.
    """
    left = LEFT_ALONE | {torch.ops.lib_graph.mark.default}
    nodes = program.graph_module.graph.nodes
    return all(n.op in ("placeholder", "output") or n.target in left for n in nodes)


@contextmanager
def _silence() -> Iterator[None]:
    """Keep torch from saying what becomes an error, or does not matter: it warns, logs, and prints
    a graph to stderr.
    """
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _check_samples_free(traced: fx.GraphModule, program: torch.export.ExportedProgram) -> None:
    """Raise UntraceableError if Python has taken the number of samples for a constant."""
    ours = set(program.graph_signature.user_inputs)
    for node in traced.graph.nodes:
        if node.op == "placeholder" and node.name in ours:
            shape = node.meta["val"].shape
            if len(shape) and str(shape[0]).isdecimal():  # a symbol may stand for a number
                raise UntraceableError(
                    "torch.export cannot trace a module that takes the number of its samples as a "
                    "plain number, as len(x) does (x.shape[0] does not)."
                )


def recording(
    module: nn.Module, inputs: tuple[Tensor, ...], wanted: Sequence[str], course: Course
) -> TracedModule:
    """Return the graph of what a module did on one batch, whatever Python decided on the way.

    Sizes, branches, and numbers taken out of tensors are those of this batch. Raises UsageError for
    a point that this input does not reach, UntraceableError if the module does more than tensor
    operations.
    """
    followed_module = _Followed(fresh(module), course)
    parameters, buffers = (
        {name: x.detach() for name, x in found}
        for found in (followed_module.named_parameters(), followed_module.named_buffers())
    )
    names = [*parameters, *buffers]

    def call(stored: tuple[Tensor, ...], arguments: tuple[Tensor, ...]) -> Any:
        values = dict(zip(names, stored, strict=True))
        return functional_call(followed_module, values, (arguments,))

    stored = (*parameters.values(), *(x.clone() for x in buffers.values()))
    try:
        with visits(followed_module.module, wanted, course.visit):
            follow = make_fx(functionalize(call), _error_on_data_dependent_ops=False)
            traced = follow(stored, inputs)
        places = [node for node in traced.graph.nodes if node.op == "placeholder"]
        every = [*names, *_arguments(course.form, len(inputs))]
        changed = _drop_writes(traced, dict(zip(places, every, strict=True)))
        for node, (name, value) in zip(places[len(parameters) :], buffers.items(), strict=False):
            _inline(traced, node, value, places[-1], name)
        known = {n: _named(name) for n, name in zip(places, parameters, strict=False)}
        return _traced(traced, known, wanted, changed)
    except LibGraphError:
        raise
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UntraceableError(
            f"The {type(module).__name__} cannot be recorded either ({reason[0]}). Only operations "
            "on torch's tensors can be."
        ) from error
    finally:
        course.own.forget()


def _traced(
    traced: fx.GraphModule,
    parameters: dict[fx.Node, str],
    wanted: Sequence[str],
    changed: Sequence[str],
) -> TracedModule:
    marked = cleaned(traced.graph)
    if missing := [p for p in wanted if p != OUTPUT and p not in marked]:
        raise UsageError(f"Point {missing[0]!r} is not computed on this input. Leave it out.")
    return TracedModule(traced, parameters, marked, tuple(changed))


def _named(name: str) -> str:
    """Return what the user's module calls a parameter or buffer."""
    return name.removeprefix("module.")


def _signature(
    traced: fx.GraphModule, program: torch.export.ExportedProgram, form: Form
) -> tuple[dict[fx.Node, str], list[str]]:
    """Return the parameters' placeholders and names, and what the module changes.

    Buffers become attributes, and the result is the user's alone.
    """
    signature = program.graph_signature
    stored = {**program.state_dict, **program.constants}
    placeholders = [node for node in traced.graph.nodes if node.op == "placeholder"]
    parameters = {}
    for node in placeholders:
        buffer = signature.inputs_to_buffers.get(node.name)
        buffer = buffer or signature.inputs_to_lifted_tensor_constants.get(node.name)
        if node.name in signature.inputs_to_parameters:
            parameters[node] = _named(signature.inputs_to_parameters[node.name])
        elif buffer:
            _inline(traced, node, stored[buffer], placeholders[-1], buffer)
    result = next(node for node in traced.graph.nodes if node.op == "output")
    kinds = [spec.kind for spec in signature.output_specs]
    result.args = (
        [
            x
            for x, kind in zip(result.args[0], kinds, strict=True)
            if kind == OutputKind.USER_OUTPUT
        ],
    )
    places = _arguments(form, len(signature.user_inputs))
    names = dict(zip(signature.user_inputs, places, strict=True))
    changes = (OutputKind.BUFFER_MUTATION, OutputKind.USER_INPUT_MUTATION)
    changed = [str(spec.target) for spec in signature.output_specs if spec.kind in changes]
    return parameters, [names.get(target, _named(target)) for target in changed]


def _arguments(form: Form, count: int) -> list[str]:
    """Return what people call the inputs."""
    return [f"argument {name}" for name in form.names(count)]


def _drop_writes(traced: fx.GraphModule, names: Mapping[fx.Node, str]) -> list[str]:
    """Take out what is written back into buffers and inputs, and return their names."""
    changed = []
    for node in list(traced.graph.nodes):
        if node.target is torch.ops.aten.copy_.default and node.args[0] in names:
            changed.append(_named(names[node.args[0]]))
            node.replace_all_uses_with(node.args[1])
            traced.graph.erase_node(node)
    return changed


def _inline(
    traced: fx.GraphModule, node: fx.Node, value: Tensor, after: fx.Node, name: str
) -> None:
    """Turn a placeholder for a buffer into an attribute of the traced module."""
    attribute_name = f"constant_{name.replace('.', '_')}_{node.name}"
    traced.register_buffer(attribute_name, value)
    with traced.graph.inserting_after(after):
        attribute = traced.graph.get_attr(attribute_name)
    attribute.meta = dict(node.meta)
    node.replace_all_uses_with(attribute)
    traced.graph.erase_node(node)
