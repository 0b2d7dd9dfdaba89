"""How degenerate a network is: ranks, units that fire together, free parameters, gauges.

The definitions are in docs/method.md, Degeneracy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from lib_graph.analysis.degeneracy.firing import Firing, firing_of
from lib_graph.analysis.degeneracy.gauges import gauges_of
from lib_graph.analysis.degeneracy.spaces import Space, span_of
from lib_graph.analysis.reopening import Reopened, reopened_network
from lib_graph.building.job import first_samples
from lib_graph.building.plan import make_plan
from lib_graph.building.samples import Samples
from lib_graph.errors import ModelError, UsageError
from lib_graph.method.jacobians import second_moment
from lib_graph.method.linear_map import LinearMap
from lib_graph.method.moments import Moments, counted_rows
from lib_graph.method.network import Batch, Section
from lib_graph.method.rules import Rule
from lib_graph.networks import Subject
from lib_graph.run import Run
from lib_graph.support import defaults
from lib_graph.support.progress import SILENT, Progress
from lib_graph.support.tables import Record, records_of

__all__ = ["TABLES", "Degeneracy", "FreeMap", "degeneracy_of", "effective_rank", "free_maps"]

TABLES = ("layers", "units", "maps", "gauges")
RULE = Rule.named("gradient")

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Degeneracy:
    """Four tables: of the layers, of their ReLU units, of the linear maps, and of the gauges."""

    layers: pd.DataFrame
    units: pd.DataFrame
    maps: pd.DataFrame
    gauges: pd.DataFrame

    def json_value(self) -> dict[str, list[Record]]:
        """Return all tables by name."""
        return {name: records_of(getattr(self, name)) for name in TABLES}


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


def degeneracy_of(
    run: Run,
    subject: Subject | None = None,
    *,
    share: float = defaults.NEARLY,
    memory: int = 4 << 30,
    progress: Progress = SILENT,
) -> Degeneracy:
    """Return how degenerate the network of a run is on the run's data.

    `subject` is the network where the run cannot find it again. Units count as synchronised that
    fire on the same inputs, and, apart, those that differ on up to `share` of them.

    Raises what `lib_graph.analysis.reopening.reopened` does, UsageError for a share that is none.
    """
    if not 0 <= share < 1:
        raise UsageError(f"share is {share}; it is a share of the inputs, 0 to 1.")
    found = reopened_network(run, subject)
    data, cutoffs = _data(found, memory, progress), run.manifest.cutoffs
    moments, read = _moments(data), _read_spaces(data, cutoffs["tau_lib"])
    maps = _free_maps(data, read, cutoffs)
    return Degeneracy(
        _layer_frame(run, found, moments, read),
        _unit_frame(_firing(data), share),
        pd.DataFrame([_map_row(each) for each in maps], columns=[*_MAP_COLUMNS]),
        pd.DataFrame(gauges_of(found.network.sections), columns=["layer", "name", "directions"]),
    )


def free_maps(
    found: Reopened, cutoffs: Mapping[str, float], memory: int = 4 << 30
) -> list[FreeMap]:
    """Return the linear maps of a run's network, with the directions in which they are free."""
    data = _data(found, memory, SILENT)
    return _free_maps(data, _read_spaces(data, cutoffs["tau_lib"]), cutoffs)


def _data(found: Reopened, memory: int, progress: Progress) -> _Data:
    network, subject = found.network, found.subject
    example = tuple(map(first_samples, subject.inputs))
    plan = make_plan(network, example, len(subject.inputs[0]), memory, RULE)
    samples = Samples(network, subject.inputs, plan, subject.counted)
    return _Data(samples, progress)


def effective_rank(spectrum: Float[Tensor, " n"]) -> float:
    """Return exp(entropy) of a spectrum that is made to sum to 1.

    >>> effective_rank(torch.tensor([2.0, 2.0, 0.0]))
    2.0
    """
    p = spectrum[spectrum > 0].double()
    p = p / p.sum()
    return float(torch.exp(-(p * p.log()).sum()))


@dataclass(frozen=True)
class _Data:
    """A run's data, to be passed over."""

    samples: Samples
    progress: Progress

    def total(self, what: str, of: Callable[[Batch], T], merge: Callable[[T, T], T]) -> T:
        """Return the merged results of all batches."""
        total: T | None = None
        with self.progress.stage(what, len(self.samples)) as advance:
            for batch in self.samples:
                part = of(batch)
                total = part if total is None else merge(total, part)
                advance(1)
        assert total is not None
        return total


def _moments(data: _Data) -> list[Moments]:
    """Return mean and Gram matrix of every layer."""
    layers = data.samples.network.layers

    def of(batch: Batch) -> list[Moments]:
        return [Moments.of(batch.activations[x.index], batch.mask(x)) for x in layers]

    def merge(one: list[Moments], two: list[Moments]) -> list[Moments]:
        return [a.merge(b) for a, b in zip(one, two, strict=True)]

    return data.total("means and Gram matrices", of, merge)


def _read_spaces(data: _Data, tau: float) -> dict[str, Space]:
    """Return of each layer the directions that are read, computed from the last to the first.

    A direction is read if it moves, on some input, anything that is read of the next layer; of the
    last layer all is.
    """
    network = data.samples.network
    last = network.layers[-1]
    spaces = {last.name: Space.whole(last.width)}
    for section in reversed(network.sections):
        following = spaces[section.target.name]

        def of(batch: Batch, section: Section = section, space: Space = following) -> Tensor:
            projector = space.projector.to(batch.activations[0].dtype)
            return second_moment(section, batch, projector, RULE, data.samples.plan.chunk)

        moment = data.total(f"Jacobian of {section.source.name}", of, torch.add)
        spaces[section.source.name] = Space.of(moment, tau)
    return {layer.name: spaces[layer.name] for layer in network.layers}


def _firing(data: _Data) -> dict[str, list[Firing]]:
    """Return the counts of the ReLUs of each section, by the layer before."""
    sections = data.samples.network.sections

    def in_section(section: Section, batch: Batch) -> list[Firing]:
        f = batch.activations[section.source.index]
        return firing_of(lambda: section(f, batch.constants), batch.mask(section.source))

    def merge(one: list[list[Firing]], two: list[list[Firing]]) -> list[list[Firing]]:
        if [*map(len, one)] != [*map(len, two)]:
            raise ModelError("Which ReLUs run depends on the data, so they cannot be counted.")
        return [
            [a.merge(b) for a, b in zip(some, others, strict=True)]
            for some, others in zip(one, two, strict=True)
        ]

    counts = data.total("ReLU units", lambda batch: [in_section(s, batch) for s in sections], merge)
    return {s.source.name: found for s, found in zip(sections, counts, strict=True)}


def _free_maps(
    data: _Data, read: Mapping[str, Space], cutoffs: Mapping[str, float]
) -> list[FreeMap]:
    """Return the linear maps in the sections of known kinds, with what of them is free.

    What is not looked at (what reads the queries, say) counts as used.
    """
    maps = [(s, each) for s in data.samples.network.sections for each in s.kind.linear_maps()]

    def merge(one: list[_LookedAt], two: list[_LookedAt]) -> list[_LookedAt]:
        return [a.merge(b) for a, b in zip(one, two, strict=True)]

    found = data.total(
        "linear maps",
        lambda batch: [_looked_at(s, each, batch, read[s.target.name]) for s, each in maps],
        merge,
    )
    result = []
    for (section, each), seen in zip(maps, found, strict=True):
        d, e = each.weight.shape
        inputs, results = Space.whole(d), Space.whole(e)
        if seen.inputs is not None:
            inputs = span_of(seen.inputs, each.bias, cutoffs["tau_pca"])
        if seen.results is not None:
            results = Space.of(seen.results, cutoffs["tau_lib"])
        elif each.reads:
            results = read[section.target.name]
        result.append(FreeMap(section.source.name, each, inputs, results))
    return result


class _LookedAt(NamedTuple):
    """The moments of a map's inputs, and the second moment of what its results do."""

    inputs: Moments | None
    results: Tensor | None

    def merge(self, other: _LookedAt) -> _LookedAt:
        """Return those of both sets of rows."""
        inputs, results = self.inputs, self.results
        if inputs is not None and other.inputs is not None:
            inputs = inputs.merge(other.inputs)
        if results is not None and other.results is not None:
            results = results + other.results
        return _LookedAt(inputs, results)


def _looked_at(section: Section, each: LinearMap, batch: Batch, read: Space) -> _LookedAt:
    f = counted_rows(batch.activations[section.source.index], batch.mask(section.source))
    inputs = None if each.inputs is None else Moments.of(each.inputs(f)[None])
    projector = read.projector.to(f.dtype)
    return _LookedAt(inputs, None if each.read is None else each.read(f, projector).double())


def _layer_frame(
    run: Run, found: Reopened, moments: list[Moments], read: Mapping[str, Space]
) -> pd.DataFrame:
    rows = []
    for layer, moment in zip(found.network.layers, moments, strict=True):
        values = torch.linalg.eigvalsh(moment.covariance)
        kept = values[values > run.manifest.cutoffs["tau_pca"] * values[-1]]
        importance = found.bases[layer.name].importance
        lib = importance if run.manifest.basis == "lib" else None
        rows.append(
            {
                "layer": layer.name,
                "width": layer.width,
                "pca_rank": len(kept),
                "pca_effective_rank": effective_rank(kept) if len(kept) else 0.0,
                "lib_rank": None if lib is None else len(lib),
                "lib_effective_rank": None if lib is None else effective_rank(lib),
                "read_rank": read[layer.name].rank,
            }
        )
    return pd.DataFrame(rows).astype({"lib_rank": "Int64", "lib_effective_rank": "float64"})


def _unit_frame(firing: Mapping[str, list[Firing]], share: float) -> pd.DataFrame:
    """Return a row per ReLU and share of inputs on which units may differ."""
    columns = ("layer", "relu", "units", "silent", "share", "groups", "synchronised", "members")
    rows = []
    for layer, relus in firing.items():
        for number, counts in enumerate(relus):
            for differing in dict.fromkeys((0.0, share)):
                groups = counts.synchronised(differing)
                size = sum(map(len, groups))
                silent = len(counts.silent)
                found = (layer, number, len(counts.both), silent, differing, len(groups), size)
                rows.append((*found, groups))
    return pd.DataFrame(rows, columns=[*columns])


_MAP_COLUMNS = (
    "layer",
    "map",
    "inputs",
    "input_rank",
    "results",
    "read_rank",
    "parameters",
    "free",
)


def _map_row(each: FreeMap) -> tuple[str, str, int, int, int, int, int, int]:
    ins, outs = each.inputs, each.results
    name = each.map.name
    return each.layer, name, ins.width, ins.rank, outs.width, outs.rank, each.parameters, each.free
