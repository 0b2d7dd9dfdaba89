"""The shipped model's bases and interactions as a whole, against the yardstick."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from benchmarks.measuring import Figure, Sample, in_fresh_process, repeated
from benchmarks.yardstick import interactions_loop, moment_loop
from lib_graph.building.build import build
from lib_graph.building.options import Options
from lib_graph.cutting.cuts import cut
from lib_graph.method.basis import LayerBasis, lib_basis
from lib_graph.method.moments import Moments
from lib_graph.method.network import Batch, Network, Section
from lib_graph.networks import load_subject, shipped_model

__all__ = ["measure_modular_addition"]

CUT = 1e-15  # eigenvalues up to this are cut by the papers' authors, and by the yardstick
BATCH = 1000
CUT_OFF = "float32, features above 1e-6"
UNCUT = "float64, features above 1e-15"
BUILDS = {
    "float64": Options(),
    UNCUT: Options(tau_lib=CUT),
    "float32": Options(dtype="float32"),
    CUT_OFF: Options(dtype="float32", tau_lib=1e-6),
}
PROMISED = {
    "modular addition, float64: bases": 8.0,
    "modular addition, float64: edges": 10.0,
    f"modular addition, {CUT_OFF}: bases": 30.0,
    f"modular addition, {CUT_OFF}: edges": 40.0,
}


def measure_modular_addition(repeat: int) -> list[Figure]:
    """How many times faster builds are than the yardstick in float64, as the authors have it."""
    samples = [in_fresh_process(ratios)[0] for _ in range(repeat)]
    names = [name for name in samples[0] if not name.startswith("yardstick")]
    return [
        *repeated(samples, {n: "CPU s" for n in samples[0] if n not in names}, {}),
        *repeated(samples, dict.fromkeys(names, "×"), PROMISED, at_least=True),
    ]


def ratios() -> Sample:
    """The yardstick's CPU seconds in float64 and float32, and the former over each build's."""
    torch.set_num_threads(1)  # waiting threads would count as busy
    slow = {str(dtype)[6:]: yardstick(dtype) for dtype in (torch.float64, torch.float32)}
    found = {
        f"yardstick, {dtype}: {part}": seconds
        for dtype, parts in slow.items()
        for part, seconds in parts.items()
    }
    for name, options in BUILDS.items():
        for part, seconds in closed(options).items():
            found[f"modular addition, {name}: {part}"] = slow["float64"][part] / seconds
    return found


def closed(options: Options) -> Sample:
    """CPU seconds of a build's bases, means and Gram matrices among them, and interactions."""
    with tempfile.TemporaryDirectory() as folder:
        timings = build(load_subject(shipped_model()), folder, options).manifest.timings
    edges = sum(s for stage, s in timings.items() if stage.startswith("interactions"))
    beside = sum(timings[stage] for stage in ("trace", "labels"))
    return {"bases": sum(timings.values()) - edges - beside, "edges": edges}


def yardstick(dtype: torch.dtype) -> Sample:
    """CPU seconds of the same by loops over backward passes."""
    subject = load_subject(shipped_model())
    module = subject.module.to(dtype).requires_grad_(False)
    inputs = subject.inputs[0]
    network = cut(module, (inputs[:4],), subject.layers)
    batches = [network.run(x) for x in inputs.split(BATCH)]
    start = time.process_time()
    bases = _bases(network, batches)
    middle = time.process_time()
    for section in network.sections:
        rotation, basis = _next_rotation(section, bases), bases[section.source.name]
        for batch in batches:
            f = batch.activations[section.source.index]
            mean, inverse = basis.mean.to(f), basis.inverse.to(f)
            features = (f - mean) @ basis.rotation.to(f)
            function = _function(section, batch)
            interactions_loop(function, f, features, inverse, rotation.to(f))
    return {"bases": middle - start, "edges": time.process_time() - middle}


def _bases(network: Network, batches: list[Batch]) -> dict[str, LayerBasis]:
    """Return the bases of all layers but the last, in float64."""
    bases: dict[str, LayerBasis] = {}
    for section in reversed(network.sections):
        layer, rotation = section.source, _next_rotation(section, bases)
        parts = [batch.activations[layer.index] for batch in batches]
        moments = Moments.of(torch.cat(parts))
        loops = [
            moment_loop(_function(section, batch), f, rotation.to(f))
            for batch, f in zip(batches, parts, strict=True)
        ]
        total = torch.stack([loop.result.double() for loop in loops]).sum(0)
        bases[layer.name] = _cut_basis(moments, total / moments.count, layer.name)
    return bases


def _next_rotation(section: Section, bases: dict[str, LayerBasis]) -> Tensor:
    """Return C of the next layer, 1 for the last."""
    target = section.target
    return bases[target.name].rotation if target.name in bases else torch.eye(target.width)


def _cut_basis(moments: Moments, second_moment: Tensor, layer: str) -> LayerBasis:
    """Return the LIB with eigenvalues up to CUT itself, not to a share of the largest, cut off."""
    largest = float(torch.linalg.eigvalsh(moments.covariance)[-1])
    basis = lib_basis(moments, second_moment, layer, CUT / largest, 0.0)
    assert basis.importance is not None
    r = int((basis.importance > CUT).sum())
    return replace(
        basis,
        rotation=basis.rotation[:, :r],
        inverse=basis.inverse[:r],
        importance=basis.importance[:r],
    )


def _function(section: Section, batch: Batch) -> Callable[[Tensor], Tensor]:
    return lambda f: section(f, batch.constants)
