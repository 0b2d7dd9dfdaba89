"""A module as a graph of tensor operations, traced by `torch.export` and never changed.

Identity operations, put at the wanted points by hooks, survive the tracing and name the tensors.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.func import functional_call, functionalize
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.attention import SDPBackend, sdpa_kernel

from lib_graph.errors import UntraceableError, UsageError
from lib_graph.kinds.norm import Norm
from lib_graph.kinds.norm_form import NormForm

__all__ = [
    "OUTPUT",
    "TracedModule",
    "is_variance",
    "keep_precision",
    "points",
    "record",
    "recording",
    "shapes",
    "trace",
]

OUTPUT, VARIANCE = "output", "variance"


WITHOUT_RESULT = ("_assert", "sym_constrain", "_local_scalar_dense")


def points(module: nn.Module) -> list[str]:
    """Return every point of a module that a layer can be: its submodules' inputs and outputs, and
    inside whatever computes a LayerNorm or RMSNorm the variance, with which its input crosses.

    >>> points(nn.Sequential(nn.Linear(2, 3), nn.ReLU()))
    ['0:in', '0:out', '1:in', '1:out', 'output']
    """
    found = []
    for path, submodule in module.named_modules():
        if path:
            inside = [] if NormForm.of(submodule) is None else [VARIANCE]
            found += [f"{path}:{side}" for side in ("in", *inside, "out")]
    return [*found, OUTPUT]


@torch.library.custom_op("lib_graph::mark", mutates_args=())
def _mark(x: Tensor, point: str) -> Tensor:
    """Name a tensor in the traced graph."""
    return x.clone()


@_mark.register_fake
def _(x: Tensor, point: str) -> Tensor:
    return torch.empty_like(x)


@dataclass(frozen=True)
class TracedModule:
    """A traced module: its graph, parameters by placeholder, marked nodes by point."""

    module: fx.GraphModule
    parameters: Mapping[fx.Node, str]
    points: Mapping[str, fx.Node]

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


def trace(module: nn.Module, inputs: tuple[Tensor, ...], wanted: Sequence[str]) -> TracedModule:
    """Return the graph of a module on an example batch, with the tensors at the wanted points.

    Sizes of all axes of the inputs stay symbolic. Raises UsageError for a point that this input
    does not reach, UntraceableError if the module cannot be traced.
    """
    dynamic = tuple(dict.fromkeys(range(x.ndim), torch.export.Dim.AUTO) for x in inputs)
    try:
        with (
            _visits(module, wanted, _mark),
            sdpa_kernel(SDPBackend.MATH),
            torch.no_grad(),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            program = torch.export.export(module, inputs, dynamic_shapes=dynamic, strict=False)
            program = program.run_decompositions({})
    except UsageError:
        raise
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UntraceableError(
            f"torch.export cannot trace the {type(module).__name__} ({reason[0]}). Control flow "
            "that depends on values, and assignment to slices, cannot be traced."
        ) from error
    traced = program.graph_module
    return _traced(traced, _sort_placeholders(traced, program), wanted)


def recording(module: nn.Module, inputs: tuple[Tensor, ...], wanted: Sequence[str]) -> TracedModule:
    """Return the graph of what a module did on one batch, whatever Python decided on the way.

    Sizes, branches, and numbers taken out of tensors are those of this batch. Raises UsageError for
    a point that this input does not reach, UntraceableError if the module does more than tensor
    operations.
    """
    names, values = zip(*module.named_parameters(remove_duplicate=False), strict=True)

    def call(parameters: tuple[Tensor, ...], arguments: tuple[Tensor, ...]) -> list[Any]:
        return _leading(
            functional_call(module, dict(zip(names, parameters, strict=True)), arguments)
        )

    try:
        with _visits(module, wanted, _mark), sdpa_kernel(SDPBackend.MATH), torch.no_grad():
            follow = make_fx(functionalize(call), _error_on_data_dependent_ops=False)
            traced = follow(values, inputs)
    except UsageError:
        raise
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UntraceableError(
            f"The {type(module).__name__} cannot be recorded either ({reason[0]}). Only operations "
            "on torch's tensors can be."
        ) from error
    placeholders = [node for node in traced.graph.nodes if node.op == "placeholder"]
    return _traced(traced, dict(zip(placeholders, names, strict=False)), wanted)


def _traced(
    traced: fx.GraphModule, parameters: dict[fx.Node, str], wanted: Sequence[str]
) -> TracedModule:
    marked = _clean(traced.graph)
    if missing := [p for p in wanted if p != OUTPUT and p not in marked]:
        raise UsageError(f"Point {missing[0]!r} is not computed on this input. Leave it out.")
    return TracedModule(traced, parameters, marked)


def _sort_placeholders(
    traced: fx.GraphModule, program: torch.export.ExportedProgram
) -> dict[fx.Node, str]:
    """Return the parameters' placeholders and names; buffers become attributes."""
    signature = program.graph_signature
    stored = {**program.state_dict, **program.constants}
    placeholders = [node for node in traced.graph.nodes if node.op == "placeholder"]
    parameters = {}
    for node in placeholders:
        buffer = signature.inputs_to_buffers.get(node.name)
        buffer = buffer or signature.inputs_to_lifted_tensor_constants.get(node.name)
        if node.name in signature.inputs_to_parameters:
            parameters[node] = signature.inputs_to_parameters[node.name]
        elif buffer:
            _inline(traced, node, stored[buffer], after=placeholders[-1])
    return parameters


def _clean(graph: fx.Graph) -> dict[str, fx.Node]:
    """Take marks and assertions out of a graph and return the marked nodes by point."""
    marked = {}
    for node in list(graph.nodes):
        if node.target is torch.ops.lib_graph.mark.default:
            marked[str(node.args[1])] = node.args[0]
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
        elif any(name in str(node.target) for name in WITHOUT_RESULT):
            graph.erase_node(node)
        elif node.target is torch.ops.aten.view.default:  # the rows of an image lie otherwise
            node.target = torch.ops.aten.reshape.default
        elif node.target is torch.ops.aten.copy.default:  # it has no forward derivative
            node.target = lambda old, new, *_: new.to(old.dtype).expand_as(old)
    graph.eliminate_dead_code()
    return marked


def keep_precision(nodes: Iterable[fx.Node], dtype: torch.dtype) -> None:
    """Have operations that would round to less than `dtype` keep it instead.

    Norms and softmaxes of language models are written to run in float32, which is more than the
    precision that those models run in, and less than float64.
    """

    def wide(value: Any) -> Any:
        if isinstance(value, torch.dtype) and value.is_floating_point:
            return min(value, dtype, key=lambda x: torch.finfo(x).eps)
        return value

    for node in nodes:
        node.args = tuple(map(wide, node.args))
        node.kwargs = {name: wide(value) for name, value in node.kwargs.items()}


def record(
    module: nn.Module, inputs: tuple[Tensor, ...], wanted: Iterable[str]
) -> dict[str, Tensor]:
    """Return what the module itself computes at the given points."""
    found = {}
    wanted = list(wanted)
    inside = [point for point in wanted if is_variance(point)]

    def keep(x: Tensor, point: str) -> Tensor:
        found[point] = x
        return x

    seen = [*(set(wanted) - set(inside)), *map(_before_norm, inside)]
    with _visits(module, seen, keep), torch.no_grad():
        result = module(*inputs)
    for point in inside:
        found[point] = _norm(module, point).variance(found[_before_norm(point)])
    found[OUTPUT] = result if torch.is_tensor(result) else next(iter(result))
    return found


def shapes(module: nn.Module, inputs: tuple[Tensor, ...]) -> dict[str, tuple[int, ...]]:
    """Return the points that can be layers, in the order of the computation, with their shapes.

    Those are the points that these inputs reach and that carry numbers, samples on the first axis,
    which is left out of the shape. Of a submodule that runs several times the last run counts.

    >>> shapes(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), (torch.ones(4, 2),))
    {'0:in': (2,), '0:out': (3,), '1:in': (3,), '1:out': (3,), 'output': (3,)}
    """
    samples = len(inputs[0])
    found: dict[str, tuple[int, ...]] = {}

    def note(point: str, values: Iterable[Any]) -> None:
        numbers = [x for x in values if torch.is_tensor(x) and x.is_floating_point()]
        found.pop(point, None)
        if numbers and 2 <= numbers[0].ndim <= 4 and len(numbers[0]) == samples:
            found[point] = tuple(numbers[0].shape[1:])

    handles = []
    for path, submodule in module.named_modules():
        if path:
            handles += [
                submodule.register_forward_pre_hook(
                    lambda _, args, named, point=f"{path}:in": note(
                        point, [*args, *named.values()]
                    ),
                    with_kwargs=True,
                ),
                submodule.register_forward_hook(
                    lambda submodule, args, _, point=f"{path}:{VARIANCE}": note(
                        point, _variances(submodule, args)
                    )
                ),
                submodule.register_forward_hook(
                    lambda _, args, result, point=f"{path}:out": note(point, _leading(result))
                ),
            ]
    try:
        with torch.no_grad():
            note(OUTPUT, _leading(module(*inputs)))
    finally:
        for handle in handles:
            handle.remove()
    return found


def _variances(module: nn.Module, args: tuple[Any, ...]) -> list[Tensor]:
    """Return the variance of what a norm is called with; nothing for other modules."""
    form = NormForm.of(module)
    return [] if form is None else [form.norm(module).variance(args[0])]


def _leading(result: Any) -> list[Any]:
    """Return the tensor that a module's result counts as: itself, or its first."""
    return [result] if torch.is_tensor(result) else list(result)[:1]


Visit = Callable[[Tensor, str], Tensor]


@contextlib.contextmanager
def _visits(module: nn.Module, wanted: Iterable[str], visit: Visit) -> Iterator[None]:
    """Pass, while the context lasts, the first float tensor at each point through `visit`."""
    handles = []
    for point in wanted:
        if point == OUTPUT:
            continue
        path, side = point.rsplit(":", 1)
        submodule = module.get_submodule(path)
        if side == VARIANCE:
            handles.append(submodule.register_forward_hook(_inside(submodule, point, visit)))
        elif side == "in":
            hook = _before(point, visit)
            handles.append(submodule.register_forward_pre_hook(hook, with_kwargs=True))
        else:
            handles.append(submodule.register_forward_hook(_after(point, visit)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _before(point: str, visit: Visit) -> Callable[..., Any]:
    def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for i, x in enumerate(args):
            if torch.is_tensor(x) and x.is_floating_point():
                return (*args[:i], visit(x, point), *args[i + 1 :]), kwargs
        for name, x in kwargs.items():
            if torch.is_tensor(x) and x.is_floating_point():
                return args, {**kwargs, name: visit(x, point)}
        raise UsageError(f"Point {point!r} carries no floating-point tensor. Choose another.")

    return hook


def is_variance(point: str) -> bool:
    """Return whether a point is the variance in a norm.

    >>> is_variance("blocks.0.norm:variance"), is_variance("blocks.0.norm:in")
    (True, False)
    """
    return point.endswith(f":{VARIANCE}")


def _before_norm(point: str) -> str:
    return point.removesuffix(VARIANCE) + "in"


def _norm(module: nn.Module, point: str) -> Norm:
    submodule = module.get_submodule(point.rsplit(":", 1)[0])
    form = NormForm.of(submodule)
    assert form is not None, point
    return form.norm(submodule)


def _inside(module: nn.Module, point: str, visit: Visit) -> Callable[..., Any]:
    """Return a hook that computes a norm again, in two steps with a visit between."""
    form = NormForm.of(module)
    assert form is not None, point

    def hook(module: nn.Module, args: tuple[Any, ...], _: Any) -> Any:
        norm = form.norm(module)
        return norm.with_variance(args[0], visit(norm.variance(args[0]), point))

    return hook


def _after(point: str, visit: Visit) -> Callable[..., Any]:
    def hook(_: nn.Module, args: tuple[Any, ...], result: Any) -> Any:
        if torch.is_tensor(result):
            return visit(result, point)
        return type(result)((visit(result[0], point), *result[1:]))

    return hook


def _inline(traced: fx.GraphModule, node: fx.Node, value: Tensor, after: fx.Node) -> None:
    """Turn a placeholder for a buffer into an attribute of the traced module."""
    name = f"constant_{node.name}"
    traced.register_buffer(name, value)
    with traced.graph.inserting_after(after):
        attribute = traced.graph.get_attr(name)
    attribute.meta = dict(node.meta)
    node.replace_all_uses_with(attribute)
    traced.graph.erase_node(node)
