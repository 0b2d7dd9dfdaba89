"""A network of sections out of any module, which is traced and never changed.

`torch.export` turns the module into a graph of tensor operations. A layer is named by a point,
`module.path:in` or `module.path:out`, or `output` for the module's own result. Other tensors may
bypass a point (a skip connection); those that cross a layer are found by a minimum cut of the
graph, weighted by size, between what the point needs and what needs the point. A section is then
the sub-graph between the tensors of two layers: nothing else can reach from one to the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import networkx as nx
import torch
from torch import Tensor, fx, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from lib_graph.errors import ModelError, NotFoundError, UsageError
from lib_graph.kinds import PositionLocal
from lib_graph.network import Constants, Kind, Layer, Network, Section
from lib_graph.recognising import recognise
from lib_graph.selfcheck import check_chain, check_kinds, check_samples
from lib_graph.tracing import OUTPUT, TracedModule, is_variance, keep_precision, points, trace

__all__ = ["cut"]

NodeSet = set[fx.Node]


def cut(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    layers: Mapping[str, str],
    *,
    biases: Iterable[str] | None = None,
    kinds: Mapping[tuple[str, str], Kind | PositionLocal] | None = None,
) -> Network:
    """Return the network of sections between the given layers (name → point), in order.

    `inputs` is an example batch of at least two samples. `biases` names the parameters that count
    as biases (default: those whose last name is `bias` or starts with `b_`); `kinds` says what the
    section between two layers (source, target) is; linear maps, also with an activation behind, are
    recognised.

    Raises NotFoundError for an unknown point, UsageError if the layers do not follow each other,
    ModelError if the module cannot be traced, if samples influence each other, or if a declared
    kind is not what the section computes.

    >>> network = cut(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), (torch.ones(2, 2),),
    ...               {"first": "0:in", "second": "1:in", "result": "output"})
    >>> [(layer.name, layer.width) for layer in network.layers]
    [('first', 2), ('second', 3), ('result', 3)]
    """
    if len(layers) < 2:
        raise UsageError(
            f"A network needs at least two layers, not {len(layers)}. Name them (--layers); "
            "'lib-graph layers MODEL' lists what can be one."
        )
    known = points(module)
    for name, point in layers.items():
        if point not in known:
            raise NotFoundError("point", point, known, f"It was to be layer {name!r}.")
    graph = trace(module, inputs, tuple(layers.values()))
    numbers = [x.dtype for x in (*module.parameters(), *inputs) if x.is_floating_point()]
    finest = min(numbers, key=lambda dtype: torch.finfo(dtype).eps, default=torch.float32)
    keep_precision(_activations(graph), finest)
    crossings, befores = _crossings(graph, layers)
    built = tuple(
        replace(_layer(index, name, crossing), variance=is_variance(layers[name]))
        for index, (name, crossing) in enumerate(zip(layers, crossings, strict=True))
    )
    parameters = {
        name: value.detach() for name, value in module.named_parameters(remove_duplicate=False)
    }
    if biases is None:
        biases = [name for name in parameters if _is_bias(name)]
    parts = [
        _subgraph(graph, source, target, before)
        for source, target, before in zip(crossings, crossings[1:], befores[1:], strict=False)
    ]
    constants = list(dict.fromkeys(node for part in parts for node in part.constants))
    sections = [
        Section(
            built[i],
            built[i + 1],
            _function(part, [constants.index(node) for node in part.constants]),
            {name: parameters[name] for name in part.parameters},
            tuple(name for name in part.parameters if name in set(biases)),
            (kinds or {}).get((built[i].name, built[i + 1].name))
            or _recognised(built[i], part, parameters),
        )
        for i, part in enumerate(parts)
    ]
    head = _head(graph, crossings[0], constants, parameters)
    network = Network(built, tuple(sections), head)
    check_chain(network, module, inputs, layers)
    check_samples(network, inputs)
    check_kinds(network, inputs)
    return network


def _is_bias(name: str) -> bool:
    last = name.rsplit(".", 1)[-1]
    return last == "bias" or last.startswith("b_")


def _reach(start: Iterable[fx.Node], step: Callable[[fx.Node], Iterable[fx.Node]]) -> NodeSet:
    seen = set(start)
    open_nodes = list(seen)
    while open_nodes:
        for node in step(open_nodes.pop()):
            if node not in seen:
                seen.add(node)
                open_nodes.append(node)
    return seen


def _users(node: fx.Node) -> Iterable[fx.Node]:
    return node.users


def _inputs(node: fx.Node) -> Iterable[fx.Node]:
    return node.all_input_nodes


def _is_float(node: fx.Node) -> bool:
    value = node.meta.get("val")
    return torch.is_tensor(value) and value.is_floating_point()


def _activations(graph: TracedModule) -> NodeSet:
    """Return all nodes that depend on the data through numbers, not through sizes or masks alone.

    Roots are the inputs that are numbers, and look-ups of inputs that are tokens.
    """
    from_inputs = _reach(graph.inputs, _users)
    looked_up = [
        n for n in graph.nodes if "embedding" in str(n.target) and n.args[1] in from_inputs
    ]
    roots = [n for n in graph.inputs if _is_float(n)] + looked_up
    return {
        n
        for n in _reach(roots, _users)
        if n.op != "output" and isinstance(n.meta.get("val"), Tensor | tuple | list)
    }


def _crossings(
    graph: TracedModule, layers: Mapping[str, str]
) -> tuple[list[list[fx.Node]], list[NodeSet]]:
    """Return per layer the nodes that cross it, the named one first, and all nodes before it."""
    active = _activations(graph)
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
            crossing, before = _minimum_cut(graph, node, active, before)
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
    graph: TracedModule, node: fx.Node, active: NodeSet, before: NodeSet
) -> tuple[list[fx.Node], NodeSet]:
    """Return the cheapest tensors that separate `node` and what comes before from the rest.

    Each tensor is an edge (tensor, in) → (tensor, out) of its size; to cut it is to let it cross.
    """
    result = graph.nodes[-1]
    late = _reach([node], _users) - {node}
    roots = {n for n in active if not any(source in active for source in n.all_input_nodes)}
    early = (_reach([node], _inputs) & active) | before | roots
    flow = nx.DiGraph()
    flow.add_nodes_from(["start", "end"])
    for n in active - late:
        if n in early:
            flow.add_edge("start", (n, "in"))
        size = {"capacity": 0 if n is node else _size(n)} if _is_float(n) else {}
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


def _hint(size: Any) -> int:
    hint = getattr(getattr(size, "node", None), "hint", None)
    return int(size if hint is None else hint)


def _size(node: fx.Node) -> int:
    size = 1
    for length in node.meta["val"].shape:
        size *= _hint(length)
    return size


def _shape(node: fx.Node, layer: str) -> tuple[int, ...]:
    shape = tuple(_hint(length) for length in node.meta["val"].shape[1:])
    if len(shape) not in (1, 2, 3):
        raise ModelError(
            f"Layer {layer!r} is crossed by a tensor of shape [N, {', '.join(map(str, shape))}]. "
            "Only [samples, features], [samples, positions, features] and images [samples, "
            "channels, height, width] can be handled."
        )
    return shape


def _layer(index: int, name: str, crossing: list[fx.Node]) -> Layer:
    layer = Layer(index, name, tuple(_shape(node, name) for node in crossing))
    others = [Layer(index, name, (shape,)).positions for shape in layer.shapes]
    if set(others) != {layer.positions}:
        raise ModelError(
            f"Layer {name!r} is crossed by tensors with {others} positions. Choose a point where "
            "all have the same number."
        )
    return layer


@dataclass(frozen=True)
class _Part:
    """A sub-graph as a callable, with the parameters and constants it takes, in order."""

    run: fx.GraphModule
    parameters: tuple[str, ...]
    constants: tuple[fx.Node, ...]


def _subgraph(
    graph: TracedModule, source: list[fx.Node], target: list[fx.Node], before: NodeSet
) -> _Part:
    """Return the computation of `target` from `source`; what follows from the inputs, but not from
    their numbers (sizes, masks, tables), is handed in as constants.
    """
    active = _activations(graph)
    given = _reach(graph.inputs, _users) - active - _reach(graph.parameters, _users)

    def stop(n: fx.Node) -> Iterable[fx.Node]:
        return () if n in source or n in graph.parameters or n in given else n.all_input_nodes

    needed = _reach(target, stop)
    part = fx.Graph()
    copies = {n: part.placeholder(f"activation_{n.name}") for n in source}
    ordered = [n for n in graph.nodes if n in needed and n not in copies]
    parameters = [n for n in ordered if n in graph.parameters]
    constants = [n for n in ordered if n in given]
    for n in [*parameters, *constants]:
        copies[n] = part.placeholder(f"given_{n.name}")
    for n in ordered:
        if n not in copies:
            assert n not in active or n in before, n
            copies[n] = part.node_copy(n, copies.__getitem__)
    part.output(tuple(copies[n] for n in target))
    names = tuple(graph.parameters[n] for n in parameters)
    return _Part(fx.GraphModule(graph.module, part), names, tuple(constants))


def _recognised(source: Layer, part: _Part, parameters: Mapping[str, Tensor]) -> Kind | None:
    if len(source.shapes[0]) == 3:  # the last axis of an image is not that of the features
        return None
    placeholders = [n for n in part.run.graph.nodes if n.op == "placeholder"]
    given = placeholders[len(placeholders) - len(part.parameters) - len(part.constants) :]
    values = [parameters[name] for name in part.parameters]
    return recognise(part.run.graph, dict(zip(given, values, strict=False)))


def _function(part: _Part, places: list[int]) -> Callable[..., Sequence[Tensor]]:
    def function(
        tensors: Sequence[Tensor], parameters: Mapping[str, Tensor], constants: Constants
    ) -> Sequence[Tensor]:
        given = [parameters[name] for name in part.parameters]
        with sdpa_kernel(SDPBackend.MATH):
            result: Sequence[Tensor] = part.run(*tensors, *given, *(constants[i] for i in places))
        return result

    return function


def _head(
    graph: TracedModule,
    first: list[fx.Node],
    constants: list[fx.Node],
    parameters: Mapping[str, Tensor],
) -> Callable[..., tuple[Sequence[Tensor], Constants]]:
    head = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes[:-1]:
        copies[node] = head.node_copy(node, copies.__getitem__)
    head.output((tuple(copies[n] for n in first), tuple(copies[n] for n in constants)))
    head.eliminate_dead_code()
    run = fx.GraphModule(graph.module, head)
    given = [parameters[name] for name in graph.parameters.values()]

    def start(*inputs: Tensor) -> tuple[Sequence[Tensor], Constants]:
        tensors, values = run(*given, *inputs)
        return tensors, values

    return start
