"""The tensors that cross the layers of a traced module, found by minimum cuts of its graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import networkx as nx
import torch
from torch import Tensor, fx

from lib_graph.cutting.laying_out import lengths, misfit
from lib_graph.cutting.operations import SHAPE_ONLY
from lib_graph.cutting.points import OUTPUT
from lib_graph.cutting.traced import TracedModule
from lib_graph.errors import UntraceableError, UsageError

__all__ = [
    "NodeSet",
    "activations",
    "crossings_of",
    "fixed",
    "hint",
    "inputs_of",
    "reach",
    "users",
]

NodeSet = set[fx.Node]
LOOKING_UP = {
    "embedding",
    "embedding_bag",
    "_embedding_bag",
    "index",
    "index_select",
    "gather",
    "take",
}


def reach(start: Iterable[fx.Node], step: Callable[[fx.Node], Iterable[fx.Node]]) -> NodeSet:
    """Return the nodes that steps lead to from the given ones, these included."""
    seen = set(start)
    open_nodes = list(seen)
    while open_nodes:
        for node in step(open_nodes.pop()):
            if node not in seen:
                seen.add(node)
                open_nodes.append(node)
    return seen


def users(node: fx.Node) -> Iterable[fx.Node]:
    """Return the nodes that take a node's result."""
    return node.users


def inputs_of(node: fx.Node) -> Iterable[fx.Node]:
    """Return the nodes whose results a node takes."""
    return node.all_input_nodes


def _is_complex(node: fx.Node) -> bool:
    value = node.meta.get("val")
    return torch.is_tensor(value) and value.is_complex()


def _is_float(node: fx.Node) -> bool:
    value = node.meta.get("val")
    return torch.is_tensor(value) and value.is_floating_point()


def activations(graph: TracedModule) -> NodeSet:
    """Return all nodes that depend on the data through numbers, not through sizes or masks alone.

    Roots are the inputs that are numbers, and where numbers are looked up by inputs that are
    tokens, where these meet parameters, or have become the numbers of a layer. What is made from
    sizes, such as the zeros that a recurrent network starts from or the positions of a text, is a
    constant.
    """
    named = {n for n in graph.points.values() if _is_float(n)}
    learned = _following(graph, set(graph.parameters))
    tokens: NodeSet = {n for n in graph.inputs if not _is_float(n)}
    found: NodeSet = {n for n in graph.inputs if _is_float(n)}
    for n in graph.nodes:
        if n.op in ("placeholder", "output", "get_attr"):
            continue
        sources = set(_valued_inputs(n))
        if sources & found:
            found.add(n)
        elif sources & tokens:
            tables = [x for x in sources - tokens if _is_float(x) or _is_complex(x)]
            root = n in named or any(x in learned for x in tables) or (tables and _looks_up(n))
            (found if root else tokens).add(n)
    return {n for n in found if isinstance(n.meta.get("val"), Tensor | tuple | list)}


def fixed(graph: TracedModule) -> NodeSet:
    """Return all nodes that follow from the inputs, but from their sizes and tokens alone."""
    learned = _following(graph, set(graph.parameters))
    return reach(graph.inputs, users) - activations(graph) - learned


def _following(graph: TracedModule, roots: NodeSet) -> NodeSet:
    """Return the nodes that depend on the numbers of the given ones, these included."""
    found = set(roots)
    for n in graph.nodes:
        if not found.isdisjoint(_valued_inputs(n)):
            found.add(n)
    return found


def _valued_inputs(node: fx.Node) -> list[fx.Node]:
    """Return the inputs on whose numbers a node depends, and not on their sizes alone."""
    name = getattr(node.target, "_opname", "")
    inputs = node.all_input_nodes
    if name in SHAPE_ONLY:
        inputs = [n for n in inputs if n is not node.args[0]]
    return [n for n in inputs if isinstance(n.meta.get("val"), Tensor | tuple | list)]


def _looks_up(node: fx.Node) -> bool:
    return getattr(node.target, "_opname", "") in LOOKING_UP


def crossings_of(
    graph: TracedModule, layers: Mapping[str, str]
) -> tuple[list[list[fx.Node]], list[NodeSet]]:
    """Return per layer the nodes that cross it, the named one first, and all nodes before it.

    Raises UsageError if the layers are not in the order of the computation.
    """
    active = activations(graph)
    sizes = {node: lengths(node) for node in active if _is_float(node)}
    order = {node: i for i, node in enumerate(graph.nodes)}
    before: NodeSet = set()
    crossings: list[list[fx.Node]] = []
    befores: list[NodeSet] = []
    for name, point in layers.items():
        if point == OUTPUT:
            node, before = graph.results[0], active
            crossing = [node]
        else:
            node = graph.points[point]
            crossing, before = _minimum_cut(graph, node, active, before, sizes)
        if node not in active or (befores and node in befores[-1]):
            raise UsageError(
                f"Layer {name!r} ({point}) does not come after the layer before it, or does not "
                "depend on the data. Name the layers in the order of the computation."
            )
        crossing.sort(key=lambda n: (n is not node, order[n]))
        crossings.append(crossing)
        befores.append(before)
    return crossings, befores


def _minimum_cut(
    graph: TracedModule,
    node: fx.Node,
    active: NodeSet,
    before: NodeSet,
    sizes: Mapping[fx.Node, Sequence[str]],
) -> tuple[list[fx.Node], NodeSet]:
    """Return the cheapest tensors that separate `node` and what comes before from the rest.

    Each tensor is an edge (tensor, in) → (tensor, out) of its size; to cut it is to let it cross.
    Of several of one size, views of each other, those that lie as the layer's own are cheaper.
    """
    largest = 2 * len(active) + 1  # more than all misfits together
    samples, own = lengths(graph.inputs[0])[0], lengths(node)
    result = graph.nodes[-1]
    late = reach([node], users) - {node}
    roots = {n for n in active if not any(source in active for source in n.all_input_nodes)}
    early = (reach([node], inputs_of) & active) | before | roots
    flow = nx.DiGraph()
    flow.add_nodes_from(["start", "end"])
    for n in active - late:
        if n in early:
            flow.add_edge("start", (n, "in"))
        size = {}
        if n in sizes:
            cost = _size(n) * largest + misfit(sizes[n], own, samples)
            size = {"capacity": 0 if n is node else cost}
        flow.add_edge((n, "in"), (n, "out"), **size)
        for source in n.all_input_nodes:
            if source in active:
                flow.add_edge((n, "in"), (source, "in"))
        for user in n.users:
            if user in late or user is result:
                flow.add_edge((n, "out"), "end")
            elif user in active:
                flow.add_edge((n, "out"), (user, "in"))
    reached, _ = nx.minimum_cut(flow, "start", "end")[1]
    inside = {n for n in active - late if (n, "in") in reached}
    return list({n for n in inside if (n, "out") not in reached} | {node}), inside


def hint(size: Any) -> int:
    """Return a length on the example batch, also where it is symbolic.

    Raises UntraceableError if it depends on values.
    """
    if isinstance(size, int):
        return size
    found = getattr(size.node, "hint", None)
    if found is None:
        raise UntraceableError(f"torch.export cannot trace sizes that depend on values ({size}).")
    return int(found)


def _size(node: fx.Node) -> int:
    size = 1
    for length in node.meta["val"].shape:
        size *= hint(length)
    return size
