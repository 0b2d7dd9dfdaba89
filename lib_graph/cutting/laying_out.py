"""Tensors that bypass a layer, laid out as the layer's own: [samples, positions, features].

What goes along with a text's stream may have its axes in another order, or more of them: inputs of
all later blocks [N, S, blocks, d], streams side by side [streams, N, S, d], heads [N, heads, S, e].
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor, fx

from lib_graph.cutting.traced import TracedModule

__all__ = ["laid_out", "lengths", "misfit"]


def lengths(node: fx.Node) -> list[str]:
    """Return the lengths of a node's axes, as names where any length will do: these tell equal ones
    apart.
    """
    return [str(length) for length in node.meta["val"].shape]


def misfit(sizes: Sequence[str], own: Sequence[str], samples: str) -> int:
    """Return how a tensor lies beside the one that a layer is named after, with axes `own`: 0 if it
    has samples and positions where that has them, 1 if it can be laid out so, 2 if it cannot.

    >>> [misfit(sizes.split(), ["N", "S", "8"], "N") for sizes in ("N S 4", "2 N S 4", "N 4")]
    [0, 1, 2]
    """
    if list(sizes[:1]) == [samples] and _positions(sizes) == _positions(own):
        return 0
    return 1 if _order(sizes, own, samples) else 2


def laid_out(
    graph: TracedModule, crossings: Sequence[Sequence[fx.Node]], befores: Iterable[set[fx.Node]]
) -> list[list[fx.Node]]:
    """Return the nodes that cross the layers, those that bypass a point laid out as it is.

    The graph takes each tensor that lies otherwise through its new form, so that this is all that
    crosses; `befores`, the nodes before each layer, are told of it. What cannot be laid out stays.
    """
    samples = lengths(graph.inputs[0])[0]
    formed: dict[fx.Node, tuple[fx.Node, fx.Node]] = {}
    for named, *others in crossings:
        for node in others:
            sizes, own = lengths(node), lengths(named)
            if node not in formed and misfit(sizes, own, samples) == 1:
                order = _order(sizes, own, samples)
                formed[node] = _through(graph.module.graph, node, order)
    for before in befores:
        before |= {new for node, pair in formed.items() if node in before for new in pair}
    return [
        [formed[named][1] if named in formed else named]
        + [formed[n][0] if n in formed else n for n in others]
        for named, *others in crossings
    ]


def _positions(sizes: Sequence[str]) -> object:
    """Return the positions of a vector, a text or an image; None of anything else."""
    match sizes:
        case [_, _]:
            return "1"
        case [_, positions, _]:
            return positions
        case [_, _, height, width]:
            known = height.isdecimal() and width.isdecimal()
            return str(int(height) * int(width)) if known else (height, width)
    return None


def _order(sizes: Sequence[str], own: Sequence[str], samples: str) -> list[int]:
    """Return the axes of a tensor in their new order; none if it cannot be laid out, or if lengths
    do not say which axis is that of samples or positions.
    """
    if len(own) != 3:
        return []
    wanted = [samples, own[1]]
    first = [i for i, size in enumerate(sizes) if size in wanted]
    first = [0, 1] if [*sizes[:2]] == wanted else first
    doubtful = samples == own[1] and first != [0, 1]
    if doubtful or sorted(sizes[i] for i in first) != sorted(wanted):
        return []
    first.sort(key=lambda i: wanted.index(sizes[i]))
    rest = [i for i in range(len(sizes)) if i not in first]
    return [*first, *rest] if rest and all(sizes[i].isdecimal() for i in rest) else []


def _through(graph: fx.Graph, node: fx.Node, order: list[int]) -> tuple[fx.Node, fx.Node]:
    """Put a node in its new form and back behind it, and return these two."""
    value = node.meta["val"]
    shape = [int(value.shape[i]) for i in order[2:]]
    with graph.inserting_after(node):
        form = graph.call_function(_formed, (node, order))
    with graph.inserting_after(form):
        back = graph.call_function(_unformed, (form, order, shape))
    node.replace_all_uses_with(back, delete_user_cb=lambda user: user is not form)
    form.meta, back.meta = {"val": _formed(value, order)}, dict(node.meta)
    return form, back


def _formed(x: Tensor, order: list[int]) -> Tensor:
    return x.permute(order).flatten(2)


def _unformed(x: Tensor, order: list[int], shape: list[int]) -> Tensor:
    apart: Tensor = x.unflatten(2, shape)
    return apart.permute([order.index(axis) for axis in range(len(order))])
