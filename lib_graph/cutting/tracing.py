"""A module as a graph of tensor operations, traced and never changed.

`torch.export` traces nearly all that there is, once it has loaded torch's compiler; modules of a
few well-known operations need no such thing (`lib_graph.cutting.known_course`). Identity
operations, put at the wanted points by hooks, survive the tracing and name the tensors.
"""

from __future__ import annotations

import io
import logging
import operator
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export.graph_signature import OutputKind
from torch.func import functional_call, functionalize
from torch.fx.experimental.proxy_tensor import make_fx

from lib_graph.cutting.arguments import Form
from lib_graph.cutting.copies import fresh
from lib_graph.cutting.following import default_type
from lib_graph.cutting.known_course import known_course
from lib_graph.cutting.points import visits
from lib_graph.cutting.traced import Course, Followed, TracedModule, inline, unmarked
from lib_graph.errors import LibGraphError, UntraceableError
from lib_graph.support.texts import first_line

__all__ = ["exported", "recording", "trace"]

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


def trace(
    module: nn.Module, inputs: tuple[Tensor, ...], wanted: Sequence[str], course: Course
) -> TracedModule:
    """Return the graph of a module on an example batch, with the tensors at the wanted points.

    The graph is for inputs of all sizes that the module takes, but for the sides of images. Raises
    UsageError for a point that this input does not reach, UntraceableError if the module cannot be
    traced.
    """
    known = known_course(module, inputs, wanted, course)
    return exported(module, inputs, wanted, course) if known is None else known


def exported(
    module: nn.Module, inputs: tuple[Tensor, ...], wanted: Sequence[str], course: Course
) -> TracedModule:
    """Return the graph of a module as `trace` does, by `torch.export`.

    Raises UsageError for a point that this input does not reach, UntraceableError if the module
    cannot be traced.
    """
    dynamic = (tuple(dict.fromkeys(_free(x), torch.export.Dim.AUTO) for x in inputs),)
    whole = Followed(fresh(module), course)
    try:
        with visits(whole.module, wanted, course.visit), _silence(), default_type(course.dtype):
            program = torch.export.export(whole, (inputs,), dynamic_shapes=dynamic, strict=False)
            if not _as_it_stays(program):
                program = program.run_decompositions({})
            traced = program.graph_module
            _check_samples_free(traced, program)
            parameters, changed = _signature(traced, program, course.form)
            return unmarked(traced, parameters, wanted, changed)
    except LibGraphError:
        raise
    except Exception as error:
        raise UntraceableError(
            f"torch.export cannot trace the {type(module).__name__} ({first_line(error)}). Control "
            "flow that depends on values cannot be traced."
        ) from error
    finally:
        course.own.forget()


def _free(x: Tensor) -> range:
    """Return the axes of an input that may have other sizes: all but those behind the channels of
    images, whose windows and patches take torch.export minutes to follow where sizes are unknown.
    """
    return range(2 if x.ndim > 3 else x.ndim)


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
    followed_module = Followed(fresh(module), course)
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
            inline(traced, node, value, places[-1], name)
        known = {n: _named(name) for n, name in zip(places, parameters, strict=False)}
        return unmarked(traced, known, wanted, changed)
    except LibGraphError:
        raise
    except Exception as error:
        raise UntraceableError(
            f"The {type(module).__name__} cannot be recorded either ({first_line(error)}). Only "
            "operations on torch's tensors can be."
        ) from error
    finally:
        course.own.forget()


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
            inline(traced, node, stored[buffer], placeholders[-1], buffer)
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
