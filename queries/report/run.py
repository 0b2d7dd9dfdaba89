"""What the run is: network, data, basis, options, layers."""

from __future__ import annotations

from typing import Any

from lib_graph.run.config import BuildConfig
from lib_graph.support.texts import counted
from lib_graph.support.view import View
from queries.report.blocks import Block, Chapter, Facts, Grid, Missing
from queries.report.source import Source

__all__ = ["layers_part", "run_part"]

SHOWN = 12  # digits of a hash


def run_part(source: Source) -> Chapter:
    """Return what was built, from what, how, and how well it was checked."""
    run, info = source.manifest, source.graph.run
    model, data = run.model, run.data
    samples, layers = counted(data.samples, "sample"), counted(len(run.layers), "layer")
    facts = [
        ("run", f"{run.name}, id {run.run_id}"),
        ("network", f"{model.name}, {model.parameters:,} parameters, from {model.source}"),
        ("weights", f"SHA-256 {model.sha256[:SHOWN]}…"),
        ("data", f"{data.name}: {samples}, {counted(data.positions, 'position')}"),
        ("features", f"{info.features:,} in the basis {run.basis}, {layers}"),
        ("interactions", f"{info.interactions:,}"),
        ("computed in", f"{run.dtype}, seed {run.seed}"),
        ("created", f"{run.created}, {_versions(run.versions)}"),
    ]
    if run.base is not None:
        facts.insert(1, ("one input", f"of run {run.base}, over the same features"))
    blocks: list[Block] = [Facts(tuple(facts))]
    for title, values in (
        ("Options", _options(run.config)),
        ("Checks", run.checks),
        ("Cut-offs", run.cutoffs),
        ("Timings, in seconds", run.timings),
    ):
        rows = [(name, _value(value)) for name, value in values.items() if value is not None]
        if rows:
            blocks.append(Grid(title, View(("what", "value"), rows), folded=True))
    about = (
        "Features are the directions of each layer's activations in which its basis writes them; "
        "interactions say how strongly a feature drives one of the next layer, on the data. "
        "Commands below ask a store, into which the first one brings the run."
    )
    return Chapter("run", "The run", about, tuple(blocks), (source.ingest(), "lib-graph runs"))


def layers_part(source: Source) -> Chapter:
    """Return the layers with their ranks."""
    columns = ("layer", "width", "PCA rank", "features", "positions", "kind")
    rows = [
        (
            layer.name,
            *(f"{x:,}" for x in (layer.width, layer.pca_rank, layer.features, layer.positions)),
            layer.kind,
        )
        for layer in source.manifest.layers
    ]
    about = (
        "Width is that of the activations, PCA rank the number of directions in which they vary, "
        "features those that the basis keeps. A raw layer is left as it is: its features are the "
        "outputs."
    )
    blocks: list[Block] = [Grid("", View(columns, rows, frozenset(columns) - {"layer", "kind"}))]
    if source.manifest.base is None:
        blocks.append(
            Missing(
                "How degenerate the network is beyond these ranks (units that fire together, free "
                "parameters) is not part of a report.",
                (f"lib-graph degeneracy {source.path}",),
            )
        )
    return Chapter("layers", "Layers", about, tuple(blocks))


def _options(config: BuildConfig) -> dict[str, Any]:
    """Return what was asked for, as the command line takes it."""
    layers = ",".join(f"{name}={point}" for name, point in config.layers)
    return config.model_dump() | {"layers": layers, "biases": ",".join(config.biases)}


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def _value(value: Any) -> str:
    """Return a value as it is typed; a list by commas, with a space to break the line at."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value).replace(",", ", ")
