"""Operations of a traced graph that are put otherwise before it is cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx

from lib_graph.cutting.function_use import Use, use_named

__all__ = ["SHAPE_ONLY", "cleaned", "is_recurrent"]

aten = torch.ops.aten
END = (1 << 63) - 1  # how a slice without an end ends
WITHOUT_RESULT = ("_assert", "sym_constrain", "_local_scalar_dense")
SHAPE_ONLY = {
    "zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like", "new_zeros",
    "new_ones", "new_full", "new_empty", "new_empty_strided", "sym_size", "sym_numel", "sym_stride",
    "fill", "zero",
}  # fmt: skip
"""Operations whose result does not depend on the numbers of the tensor that comes first"""


def cleaned(graph: fx.Graph) -> dict[str, fx.Node]:
    """Take marks and assertions out of a graph, put some operations otherwise, and return the
    marked nodes by point.
    """
    marked = {}
    for node in list(graph.nodes):
        if node.target is torch.ops.lib_graph.mark.default:
            marked[str(node.args[1])] = node
        elif node.op == "call_function" and any(x in str(node.target) for x in WITHOUT_RESULT):
            graph.erase_node(node)
        elif node.target is aten.copy.default:
            _replace_copy(graph, node)
        elif node.target in (aten.slice.Tensor, aten.slice_scatter.default):
            _replace_slice(graph, node)
        elif node.target in OTHERWISE:
            node.target = OTHERWISE[node.target]
        elif node.target is torch.ops.lib_graph.stop.default:
            node.target = _stopped
        elif node.target is torch.ops.lib_graph.own.default:
            node.target = _held(use_named(str(node.args[1])))
        elif node.op == "call_function":
            _fix_type(node)
    for point, node in marked.items():
        marked[point] = _without_marks(node)
    for node in list(graph.nodes):
        if node.target is torch.ops.lib_graph.mark.default:
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
    graph.eliminate_dead_code()
    return marked


def _without_marks(node: fx.Node) -> fx.Node:
    while node.target is torch.ops.lib_graph.mark.default:
        node = node.args[0]  # type: ignore[assignment]
    return node


def _replace_copy(graph: fx.Graph, node: fx.Node) -> None:
    """Put what is copied in place of a copy, which has no forward derivative."""
    old, new = (x.meta.get("val") for x in node.args[:2] if isinstance(x, fx.Node))
    if not (isinstance(old, Tensor) and isinstance(new, Tensor)):
        return
    if old.dtype == new.dtype and str(old.shape) == str(new.shape):
        node.replace_all_uses_with(node.args[1])  # type: ignore[arg-type]
        graph.erase_node(node)
    else:
        with graph.inserting_before(node):
            sizes = [_size(graph, node.args[0], i) for i in range(old.ndim)]
        node.target, node.args, node.kwargs = _expanded, (node.args[1], old.dtype, sizes), {}


def _replace_slice(graph: fx.Graph, node: fx.Node) -> None:
    """Leave out a slice that is all of its axis, and give one that goes to the end its end: the
    largest integer overflows in derivatives.
    """
    tensors = 1 if node.target is aten.slice.Tensor else 2
    given: list[Any] = list(node.args[tensors:])
    axis, start, end, step = given + [0, 0, END, 1][len(given) :]
    if node.target is not aten.slice.Tensor:
        node.target = _scatter_slice
    if end != END and end is not None:
        return
    if start in (0, None) and step == 1:
        node.replace_all_uses_with(node.args[tensors - 1])  # type: ignore[arg-type]
        graph.erase_node(node)
        return
    with graph.inserting_before(node):
        end = _size(graph, node.args[0], axis)
    node.args, node.kwargs = (*node.args[:tensors], axis, start, end, step), {}


def _scatter_slice(
    x: Tensor, part: Tensor, axis: int = 0, start: int = 0, end: int = END, step: int = 1
) -> Tensor:
    """Return x with a part replaced: torch's own has no derivative for complex numbers, and cannot
    be batched where the part is counted from the end.
    """
    start, end, step = slice(start, end, step).indices(x.shape[axis])
    if not x.is_complex() or step != 1:
        return torch.slice_scatter(x, part, dim=axis, start=start, end=end, step=step)
    before, after = x.narrow(axis, 0, start), x.narrow(axis, end, x.shape[axis] - end)
    return torch.cat([before, part.to(x.dtype), after], axis)


def _scatter_index(x: Tensor, part: Tensor, axis: int, index: int) -> Tensor:
    start = index % x.shape[axis]
    return _scatter_slice(x, part.unsqueeze(axis), axis, start, start + 1)


def _size(graph: fx.Graph, of: Any, axis: int) -> Any:
    size = of.meta["val"].shape[axis]
    if isinstance(size, int):
        return size
    node = graph.call_function(aten.sym_size.int, (of, axis))
    node.meta["val"] = size
    return node


def _expanded(new: Tensor, dtype: torch.dtype, sizes: list[int]) -> Tensor:
    return new.to(dtype).expand(sizes)


def _leaky(x: Tensor, weight: Tensor) -> Tensor:
    """PReLU, whose two modes of torch disagree at 0: there it is the weight (docs/method.md §1)."""
    if weight.numel() > 1 and x.ndim > 1:
        weight = weight.reshape(1, -1, *[1] * (x.ndim - 2))
    return torch.where(x > 0, x, weight * x)


def _kernel_leaky(x: Tensor, weight: Tensor) -> Tensor:
    return torch.where(x > 0, x, weight * x)


def _mean_leaky(x: Tensor, *limits: Any) -> Tensor:
    """Return what RReLU is in eval mode, which torch cannot batch."""
    lower, upper = [limit for limit in limits if isinstance(limit, float)][:2] or (1 / 8, 1 / 3)
    return torch.where(x > 0, x, (lower + upper) / 2 * x)


def _distances(x: Tensor, y: Tensor, p: float = 2.0, *_: Any) -> Tensor:
    """Return all distances of rows, by operations with a forward mode, which torch.cdist lacks."""
    apart: Tensor = torch.linalg.vector_norm(x.unsqueeze(-2) - y.unsqueeze(-3), ord=p, dim=-1)
    return apart


def _held(use: Use) -> Callable[..., tuple[Tensor, ...]]:
    def held(xs: list[Tensor], _: str) -> tuple[Tensor, ...]:
        return use(xs)

    return held


def _stopped(x: Tensor) -> Tensor:
    return x.detach()


OTHERWISE = {
    aten.view.default: aten.reshape.default,  # the rows of an image lie otherwise
    aten.rrelu.default: _mean_leaky,
    aten.rrelu_with_noise.default: _mean_leaky,
    aten.rrelu_with_noise_functional.default: _mean_leaky,
    aten.select_scatter.default: _scatter_index,
    aten.cdist.default: _distances,
    aten._cdist_forward.default: _distances,
    aten.prelu.default: _leaky,
    aten._prelu_kernel.default: _kernel_leaky,
}


def _fix_type(node: fx.Node) -> None:
    """Write down the type of a new tensor, which else is the default wherever the graph runs."""
    schema, value = getattr(node.target, "_schema", None), node.meta.get("val")
    if schema is None or not isinstance(value, Tensor) or node.kwargs.get("dtype") is not None:
        return
    takes = any(argument.name == "dtype" for argument in schema.arguments)
    if takes and not any(isinstance(x.meta.get("val"), Tensor) for x in node.all_input_nodes):
        node.kwargs = {**node.kwargs, "dtype": value.dtype}


def is_recurrent(graph: fx.Graph) -> bool:
    """Return whether a graph has a kernel of a recurrent network, as one operation."""
    names = (getattr(node.target, "_opname", "") for node in graph.nodes)
    return any(name in ("lstm", "gru", "rnn_tanh", "rnn_relu") for name in names)
