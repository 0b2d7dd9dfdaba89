"""What the data show of a network's degeneracy, in passes that sum up what each batch shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor

from lib_graph.analysis.degeneracy.firing import Firing, firing_of
from lib_graph.analysis.degeneracy.spaces import Space, span_of
from lib_graph.analysis.reopening import Reopened
from lib_graph.building.accumulating import Mergeable, accumulate, mergeable
from lib_graph.building.passes import Passes
from lib_graph.building.samples import Samples
from lib_graph.errors import ModelError
from lib_graph.method.jacobians import JacobianMoment, second_moment
from lib_graph.method.linear_map import LinearMap
from lib_graph.method.moments import Moments, counted_rows
from lib_graph.method.network import Batch, Layer, Section
from lib_graph.method.rules import Rule
from lib_graph.support import defaults
from lib_graph.support.devices import exact, sums_on

__all__ = ["FreeMap", "Measured", "free_maps"]

RULE = Rule.named("gradient")
Spaces = Mapping[str, Space]
PartT = TypeVar("PartT", bound=Mergeable)


@dataclass(frozen=True)
class FreeMap:
    """A linear map with the directions of its inputs that occur and of its results that are read.

    Moves along `inputs.null` ⊗ anything (with a bias, less what the mean input gives) and along
    anything ⊗ `results.null` change nothing, to first order.
    """

    layer: str
    map: LinearMap
    inputs: Space
    results: Space

    @property
    def parameters(self) -> int:
        """The number of parameters, d e, and e more with a bias."""
        d, e = self.map.weight.shape
        return (d + (self.map.bias is not None)) * e

    @property
    def free(self) -> int:
        """The number of parameter directions that do not matter."""
        return (
            self.parameters - (self.inputs.rank + (self.map.bias is not None)) * self.results.rank
        )


@mergeable
@dataclass(frozen=True)
class Relus:
    """How many ReLUs ran in each section: as many on all data."""

    counts: Tensor

    def merge(self, other: Relus) -> Relus:
        """Return the same. Raises ModelError where other data run others."""
        if not torch.equal(self.counts, other.counts):
            raise ModelError("Which ReLUs run depends on the data, so they cannot be counted.")
        return self


@dataclass(frozen=True)
class Measured:
    """A run's network and data, to be passed over in batches that keep to the memory."""

    samples: Samples
    passes: Passes

    @classmethod
    def of(cls, found: Reopened, passes: Passes, memory: int) -> Measured:
        """Return those of a run. Raises UsageError for too little memory."""
        network = found.network
        whole = {layer.name: Space.whole(layer.width) for layer in network.layers}

        def second(section: Section) -> Callable[[Batch, int], tuple[JacobianMoment]]:
            return lambda batch, chunk: _second(section, whole[section.target.name], batch, chunk)

        parts = [
            lambda batch, _: _moments(found.network.layers, batch),
            lambda batch, _: _firing(network.sections, batch),
            lambda batch, _: _looked_at(_maps(network.sections), whole, batch),
            *map(second, network.sections),
        ]
        return cls(found.planned(parts, memory, keep=True), passes)

    def _total(self, name: str, of: Callable[[Batch], tuple[PartT, ...]]) -> tuple[PartT, ...]:
        """Return what a pass sums up."""
        return accumulate(self.passes, name, self.samples, of)

    def moments(self) -> tuple[Moments, ...]:
        """Return mean and Gram matrix of every layer."""
        layers = self.samples.network.layers
        return self._total("means and Gram matrices", lambda batch: _moments(layers, batch))

    def read_spaces(self, tau: float) -> dict[str, Space]:
        """Return of each layer the directions that are read, computed from the last to the first.

        A direction is read if it moves, on some input, anything that is read of the next layer; of
        the last layer all is.
        """
        network, chunk = self.samples.network, self.samples.plan.chunk
        last = network.layers[-1]
        spaces = {last.name: Space.whole(last.width)}
        for section in reversed(network.sections):
            following, name = spaces[section.target.name], section.source.name

            def of(
                batch: Batch, section: Section = section, following: Space = following
            ) -> tuple[JacobianMoment]:
                return _second(section, following, batch, chunk)

            (moment,) = self._total(f"Jacobian of {name}", of)
            spaces[name] = Space.of(moment.total, tau)
        return {layer.name: spaces[layer.name] for layer in network.layers}

    def firing(self) -> dict[str, list[Firing]]:
        """Return the counts of the ReLUs of each section, by the layer before.

        Raises ModelError if which ReLUs run depends on the data.
        """
        sections = self.samples.network.sections
        relus, *counts = self._total("ReLU units", lambda batch: _firing(sections, batch))
        assert isinstance(relus, Relus)
        left = iter([each for each in counts if isinstance(each, Firing)])
        return {
            section.source.name: [next(left) for _ in range(count)]
            for section, count in zip(sections, relus.counts.tolist(), strict=True)
        }

    def free_maps(self, read: Spaces, cutoffs: Mapping[str, float]) -> list[FreeMap]:
        """Return the linear maps in the sections of known kinds, with what of them is free.

        What is not looked at (what reads the queries, say) counts as used.
        """
        maps = _maps(self.samples.network.sections)
        if not maps:
            return []
        found = iter(self._total("linear maps", lambda batch: _looked_at(maps, read, batch)))
        result = []
        for section, each in maps:
            inputs, results = map(Space.whole, each.weight.shape)
            if each.inputs is not None:
                moments = next(found)
                assert isinstance(moments, Moments)
                inputs = span_of(moments, each.bias, cutoffs["tau_pca"])
            if each.read is not None:
                moment = next(found)
                assert isinstance(moment, JacobianMoment)
                results = Space.of(moment.total, cutoffs["tau_lib"])
            elif each.reads:
                results = read[section.target.name]
            result.append(FreeMap(section.source.name, each, inputs, results))
        return result


def free_maps(
    found: Reopened, cutoffs: Mapping[str, float], memory: int = defaults.MEMORY
) -> list[FreeMap]:
    """Return the linear maps of a run's network, with the directions in which they are free.

    Raises UsageError for too little memory.
    """
    measured = Measured.of(found, Passes({}), memory)
    return measured.free_maps(measured.read_spaces(cutoffs["tau_lib"]), cutoffs)


def _moments(layers: Sequence[Layer], batch: Batch) -> tuple[Moments, ...]:
    return tuple(Moments.of(batch.activations[x.index], batch.mask(x)) for x in layers)


def _second(section: Section, following: Space, batch: Batch, chunk: int) -> tuple[JacobianMoment]:
    """Return the second moment of a section's Jacobian, towards what is read after it."""
    projector = following.projector.to(batch.activations[section.source.index])
    rows = batch.rows(section.source)
    return (JacobianMoment(rows, second_moment(section, batch, projector, RULE, chunk)),)


def _firing(sections: Sequence[Section], batch: Batch) -> tuple[Relus | Firing, ...]:
    """Return how many ReLUs each section runs, and the counts of all of them."""
    found = []
    for each in sections:
        run = partial(each, batch.activations[each.source.index], batch.constants)
        found.append(firing_of(run, batch.mask(each.source)))
    where = sums_on(batch.activations[0].device)
    counts = torch.tensor([len(some) for some in found], device=where)
    return (Relus(counts), *(each for some in found for each in some))


def _maps(sections: Sequence[Section]) -> list[tuple[Section, LinearMap]]:
    return [(section, each) for section in sections for each in section.kind.linear_maps()]


def _looked_at(
    maps: list[tuple[Section, LinearMap]], read: Spaces, batch: Batch
) -> tuple[Moments | JacobianMoment, ...]:
    """Return the moments of the maps' inputs, and the second moments of what their results do."""
    found: list[Moments | JacobianMoment] = []
    for section, each in maps:
        f = counted_rows(batch.activations[section.source.index], batch.mask(section.source))
        if each.inputs is not None:
            found.append(Moments.of(each.inputs(f)[None]))
        if each.read is not None:
            projector = read[section.target.name].projector.to(f)
            found.append(JacobianMoment(len(f), exact(each.read(f, projector))))
    return tuple(found)
