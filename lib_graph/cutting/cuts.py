"""A network of sections out of any module, which is traced and never changed.

Tracing turns the module into a graph of tensor operations. A layer is named by a point,
`module.path:in` or `module.path:out`, or `output` for the module's own result. Other tensors may
bypass a point (a skip connection); those that cross a layer are found by a minimum cut of the
graph, weighted by size, between what the point needs and what needs the point. A section is then
the sub-graph between the tensors of two layers: nothing else can reach from one to the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import pairwise

from torch import Tensor, fx, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from lib_graph.cutting.arguments import POSITIONAL, Form
from lib_graph.cutting.asked import (
    biases_among,
    check_points,
    names_of,
    notes_of,
    parameters_of,
)
from lib_graph.cutting.crossings import NodeSet, activations, crossings_of, fixed, hint, reach
from lib_graph.cutting.following import plain_kernels
from lib_graph.cutting.kindcheck import declared
from lib_graph.cutting.laying_out import laid_out
from lib_graph.cutting.operations import is_recurrent
from lib_graph.cutting.points import is_variance
from lib_graph.cutting.recognising import recognise
from lib_graph.cutting.selfcheck import check
from lib_graph.cutting.survey import surveyed
from lib_graph.cutting.traced import TracedModule
from lib_graph.cutting.tracing import trace
from lib_graph.errors import ModelError
from lib_graph.method.kind import Kind
from lib_graph.method.network import Constants, Layer, Network, Section

__all__ = ["Chain", "Function", "cut", "take_apart"]

Function = Callable[[Sequence[Tensor], Mapping[str, Tensor], Constants], Sequence[Tensor]]


@dataclass(frozen=True)
class Chain:
    """A traced module taken apart: layers, the functions between them, and what comes before.

    `functions[i]` leads from layer i to the next, with the parameters that `parameters[i]` names.
    `held` counts tensors that bypass a layer and are no part of it: they are constants.
    """

    layers: tuple[Layer, ...]
    functions: tuple[Function, ...]
    parameters: tuple[tuple[str, ...], ...]
    kinds: tuple[Kind, ...]
    head: Callable[..., tuple[Sequence[Tensor], Constants]]
    held: int


def cut(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    layers: Mapping[str, str],
    *,
    biases: Iterable[str] | None = None,
    kinds: Mapping[tuple[str, str], Kind] | None = None,
    partial: bool = False,
    form: Form = POSITIONAL,
    derivatives: bool = True,
) -> Network:
    """Return the network of sections between the given layers (name → point), in order.

    `inputs` is an example batch of at least two samples, which `form` puts into the module's
    arguments. `biases` names the parameters that count as biases (default: those whose last name is
    `bias` or starts with `b_`); `kinds` says what the section between two layers (source, target)
    is; linear maps, also with an activation behind, are recognised. With `partial`, a layer is the
    named tensor alone; what bypasses it is held fixed at what it is on the data. Without
    `derivatives`, only the values of the network are checked: enough where none is taken.

    Raises NotFoundError for an unknown point or parameter, UsageError if the layers do not follow
    each other, UntraceableError if the module cannot be traced, ModelError if it is random, if
    samples influence each other, if a section has no derivative, or if a declared kind is not what
    the section computes.

    >>> import torch
    >>> network = cut(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), (torch.ones(2, 2),),
    ...               {"first": "0:in", "second": "1:in", "result": "output"})
    >>> [(layer.name, layer.width) for layer in network.layers]
    [('first', 2), ('second', 3), ('result', 3)]
    """
    check_points(module, layers)
    parameters = parameters_of(module)
    wanted = tuple(layers.values())
    course = surveyed(module, inputs, wanted, form)
    graph = trace(module, inputs, wanted, course)
    chain = take_apart(graph, layers, parameters, partial)
    biases = biases_among(names_of(module), biases)
    sections = [
        Section(
            source,
            target,
            chain.functions[source.index],
            {name: parameters[name] for name in chain.parameters[source.index]},
            tuple(name for name in chain.parameters[source.index] if name in biases),
            declared(kinds, source, target) or chain.kinds[source.index],
        )
        for source, target in pairwise(chain.layers)
    ]
    network = Network(chain.layers, tuple(sections), chain.head)
    figures = check(
        network, module, inputs, layers, course, held=chain.held > 0, derivatives=derivatives
    )
    if partial:
        figures["held_tensors"] = chain.held
    return replace(network, figures=figures, notes=notes_of(course, graph.changed))


def take_apart(
    graph: TracedModule,
    layers: Mapping[str, str],
    parameters: Mapping[str, Tensor],
    partial: bool,
) -> Chain:
    """Return the chain of a graph. Raises UsageError if the layers do not follow each other."""
    crossings, befores = crossings_of(graph, layers)
    held: list[NodeSet] = [set() for _ in crossings]
    if partial:
        held = [set(crossing[1:]) for crossing in crossings]
        crossings = [crossing[:1] for crossing in crossings]
    crossings = laid_out(graph, crossings, befores)
    built = tuple(
        replace(_layer(index, name, crossing, _samples(graph)), variance=is_variance(layers[name]))
        for index, (name, crossing) in enumerate(zip(layers, crossings, strict=True))
    )
    parts = [
        _subgraph(graph, source, target, before, bypass)
        for source, target, before, bypass in zip(
            crossings, crossings[1:], befores[1:], held, strict=False
        )
    ]
    constants = list(dict.fromkeys(node for part in parts for node in part.constants))
    return Chain(
        built,
        tuple(
            _function(part, [constants.index(node) for node in part.constants]) for part in parts
        ),
        tuple(part.parameters for part in parts),
        tuple(
            _recognised(layer, part, parameters) for layer, part in zip(built, parts, strict=False)
        ),
        _head(graph, crossings[0], constants, parameters),
        len(set().union(*held)),
    )


def _samples(graph: TracedModule) -> int:
    """Return the number of samples in the example batch."""
    return hint(graph.inputs[0].meta["val"].shape[0])


def _shape(node: fx.Node, layer: str, samples: int) -> tuple[int, ...]:
    rows, *shape = (hint(length) for length in node.meta["val"].shape)
    if rows != samples:
        raise ModelError(
            f"Layer {layer!r} is crossed by a tensor of shape {[rows, *shape]}, whose first axis "
            f"is not that of the {samples} samples. Choose a point where the samples come first."
        )
    if len(shape) not in (1, 2, 3):
        raise ModelError(
            f"Layer {layer!r} is crossed by a tensor of shape [N, {', '.join(map(str, shape))}]. "
            "Only [samples, features], [samples, positions, features] and images [samples, "
            "channels, height, width] can be handled."
        )
    return tuple(shape)


def _layer(index: int, name: str, crossing: list[fx.Node], samples: int) -> Layer:
    layer = Layer(index, name, tuple(_shape(node, name, samples) for node in crossing))
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
    graph: TracedModule,
    source: list[fx.Node],
    target: list[fx.Node],
    before: NodeSet,
    held: NodeSet,
) -> _Part:
    """Return the computation of `target` from `source`; what follows from the inputs, but not from
    their numbers (sizes, masks, tables), and what is held fixed is handed in as constants.
    """
    active = activations(graph)
    given = held | fixed(graph)

    def stop(n: fx.Node) -> Iterable[fx.Node]:
        return () if n in source or n in graph.parameters or n in given else n.all_input_nodes

    needed = reach(target, stop)
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


def _recognised(source: Layer, part: _Part, parameters: Mapping[str, Tensor]) -> Kind:
    if len(source.shapes[0]) == 3:  # the last axis of an image is not that of the features
        return Kind()
    placeholders = [n for n in part.run.graph.nodes if n.op == "placeholder"]
    given = placeholders[len(placeholders) - len(part.parameters) - len(part.constants) :]
    values = [parameters[name] for name in part.parameters]
    return recognise(part.run.graph, dict(zip(given, values, strict=False)))


def _function(part: _Part, places: list[int]) -> Function:
    kernels = plain_kernels if is_recurrent(part.run.graph) else _exact_attention

    def function(
        tensors: Sequence[Tensor], parameters: Mapping[str, Tensor], constants: Constants
    ) -> Sequence[Tensor]:
        given = [parameters[name] for name in part.parameters]
        with kernels():
            result: Sequence[Tensor] = part.run(*tensors, *given, *(constants[i] for i in places))
        return result

    return function


def _exact_attention() -> AbstractContextManager[None]:
    return sdpa_kernel(SDPBackend.MATH)


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
    dtypes = [n.meta["val"].dtype for n in graph.inputs]
    sides = [_sides(n.meta["val"]) for n in graph.inputs]
    kernels = plain_kernels if is_recurrent(head) else _exact_attention

    def start(*inputs: Tensor) -> tuple[Sequence[Tensor], Constants]:
        for x, expected in zip(inputs, sides, strict=True):
            if (found := _sides(x)) != expected:
                raise ModelError(
                    f"The network was cut on images of {expected}, and these are of {found}. Give "
                    "images of one size."
                )
        with kernels():
            tensors, values = run(*given, *(x.to(d) for x, d in zip(inputs, dtypes, strict=True)))
        return tensors, values

    return start


def _sides(x: Tensor) -> str:
    """Return the sides of images, which a traced graph takes as given; '' of anything else."""
    return " × ".join(map(str, x.shape[2:])) if x.ndim > 3 else ""
