"""A network out of a module that torch.export cannot trace: recorded batch by batch.

Where a module's course depends on values (`if x.max() > 1:`), it has no one graph. Then each batch
is run through the module itself, what it does is recorded, and the recording is cut. So every batch
takes its own course, and derivatives are those along that course: a number that the module takes
out of a tensor (`float(x)`) is a constant, as it is to torch's autograd.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor, nn

from lib_graph.cutting.arguments import POSITIONAL, Form
from lib_graph.cutting.asked import (
    biases_among,
    check_points,
    names_of,
    notes_of,
    parameters_of,
)
from lib_graph.cutting.cuts import Chain, Function, take_apart
from lib_graph.cutting.kindcheck import declared
from lib_graph.cutting.selfcheck import check
from lib_graph.cutting.survey import surveyed
from lib_graph.cutting.traced import Course
from lib_graph.cutting.tracing import recording
from lib_graph.errors import ModelError
from lib_graph.method.kind import Kind
from lib_graph.method.network import Constants, Layer, Network, Section

__all__ = ["NOTICE", "recorded"]

NOTICE = (
    "It is recorded batch by batch instead: every batch takes its own branches, and numbers that "
    "the module takes out of tensors are constants. That is slower, no linear maps are recognised, "
    "and no branch may decide what bypasses a layer."
)


def recorded(
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
    """Return what `cuts.cut` does, of a module that has to be recorded on every batch.

    Raises what `cut` does; running the network raises ModelError where a batch takes a course that
    gives the layers other tensors.
    """
    check_points(module, layers)
    parameters = parameters_of(module)
    counted = tuple(sorted(biases_among(names_of(module), biases)))
    course = surveyed(module, inputs, tuple(layers.values()), form)
    recorder = _Recorder(module, [x.dtype for x in inputs], layers, parameters, partial, course)
    built = recorder.chain(inputs).layers
    sections = tuple(
        Section(
            source,
            target,
            _function(source.index),
            parameters,
            counted,
            declared(kinds, source, target) or Kind(),
        )
        for source, target in pairwise(built)
    )
    network = Network(built, sections, recorder, recorder.figures)
    held = recorder.figures.get("held_tensors", 0) > 0
    found = check(network, module, inputs, layers, course, held=held, derivatives=derivatives)
    recorder.figures |= found
    return replace(network, notes=notes_of(course, recorder.changed))


class _Recorder:
    """The head of a recorded network: its constants begin with the chain of the batch."""

    def __init__(
        self,
        module: nn.Module,
        dtypes: Sequence[torch.dtype],
        layers: Mapping[str, str],
        parameters: Mapping[str, Tensor],
        partial: bool,
        course: Course,
    ) -> None:
        self._module, self._dtypes, self._layers = module, dtypes, layers
        self._parameters, self._partial, self._course = parameters, partial, course
        self._shapes: dict[str, tuple[tuple[int, ...], ...]] = {}
        self._courses: set[tuple[str, ...]] = set()
        self.figures: dict[str, float] = {}
        self.changed: set[str] = set()

    def __call__(self, *inputs: Tensor) -> tuple[Sequence[Tensor], Constants]:
        inputs = tuple(x.to(dtype) for x, dtype in zip(inputs, self._dtypes, strict=True))
        chain = self.chain(inputs)
        tensors, constants = chain.head(*inputs)
        return tensors, (chain, *constants)

    def chain(self, inputs: tuple[Tensor, ...]) -> Chain:
        """Return what the module does on a batch, cut at the layers."""
        graph = recording(self._module, inputs, tuple(self._layers.values()), self._course)
        self.changed |= {*graph.changed}
        chain = take_apart(graph, self._layers, self._parameters, self._partial)
        self._courses.add(tuple(str(node.target) for node in graph.nodes))
        for layer in chain.layers:
            self._check(layer)
        self.figures["recorded_courses"] = len(self._courses)
        if self._partial:
            self.figures["held_tensors"] = chain.held
        return chain

    def _check(self, layer: Layer) -> None:
        """Hold a layer of one batch against that of the first."""
        first = self._shapes.setdefault(layer.name, layer.shapes)
        if first != layer.shapes:
            crossing = f": {first} on the first batch, {layer.shapes} on another course"
        elif len(first) > 1 and len(self._courses) > 1:
            crossing = f", {len(first)} tensors {first}, which need not be the same on each course"
        else:
            return
        raise ModelError(
            f"The course of the {type(self._module).__name__} depends on values, and so may what "
            f"crosses layer {layer.name!r}{crossing}. Choose layers that nothing bypasses, or "
            "--partial."
        )


def _function(index: int) -> Function:
    """Return the section after layer `index`, out of the chain of the batch."""

    def function(
        tensors: Sequence[Tensor], parameters: Mapping[str, Tensor], constants: Constants
    ) -> Sequence[Tensor]:
        chain: Chain = constants[0]
        return chain.functions[index](tensors, parameters, constants[1:])

    return function
