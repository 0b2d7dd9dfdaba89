"""`lib-graph ablate RUN nodes|edges`, and what `ablate RUN circuit` shares with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lib_graph.cli.commands import command, progress, say_folder
from lib_graph.cli.listed import LISTED
from lib_graph.cli.options import resources
from lib_graph.cli.output import Output, output_options
from lib_graph.errors import ConflictError, UsageError
from lib_graph.support import defaults
from lib_graph.support.view import View

if TYPE_CHECKING:
    import pandas as pd

    from lib_graph.analysis.ablation import Bench
    from lib_graph.run import Run
    from lib_graph.support.tables import Frame

__all__ = ["ablate", "benches", "scoring"]

Function = Callable[..., Any]


class _Ablations(click.Group):
    """A group whose verbs have their help without a run as well: `ablate nodes -h`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        verb, *others = [*args, ""]
        if verb in self.commands and others[0] in ctx.help_option_names:
            args = ["RUN", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Ablations, short_help="Score the network with a part of its graph alone.")
@click.argument("run", type=click.Path(path_type=Path))
@click.pass_context
def ablate(context: click.Context, run: Path) -> None:
    """Score the network of RUN, on held-out data, with a part of its graph alone.

    Results go to RUN/ablation.parquet, and the interactions required to RUN/masks.parquet. For the
    curves as a picture: 'lib-graph ingest RUN', then 'lib-graph plot FILE --of ablation'.

    \b
    lib-graph ablate my-run nodes
    lib-graph ablate my-run edges --delta 0.001
    lib-graph ablate my-run circuit circuit.json
    """  # noqa: D301  \b is click's mark
    context.obj.run = run


def scoring(function: Function) -> Function:
    """Add the options that all ablations share."""
    for option in (
        click.option("--replace", is_flag=True, help="Forget ablations of other data or metrics."),
        click.option(
            "--seed", default=defaults.SEED, show_default=True, help="Of the random masks."
        ),
        click.option("--metric", help="accuracy or cross-entropy.  [default: what suits the data]"),
    ):
        function = option(function)
    return resources(function)


def _curves(function: Function) -> Function:
    """Add the options that curves share."""
    for option in (
        click.option(
            "--against",
            type=click.Path(path_type=Path),
            help="Also ablate this run of the same network, in another basis.",
        ),
        click.option("--layers", type=LISTED, help="Layers, by commas.  [default: all]"),
    ):
        function = option(function)
    return function


@command(
    short_help="Keep the first n features of a layer.",
    epilog="Example: lib-graph ablate my-run nodes --against my-run-pca",
)
@_curves
@scoring
@output_options
@click.pass_obj
def nodes(
    settings: Any,
    /,
    layers: str | None,
    against: Path | None,
    metric: str | None,
    seed: int,
    replace: bool,
    output: Output,
    **taken: Any,
) -> None:
    """Keep the first n features of a layer, by importance; all others are at their mean."""
    import pandas as pd

    from lib_graph.analysis.ablation import ablate_nodes, check_ablation, write_ablation
    from lib_graph.support.tables import Frame

    opened = list(benches(settings.run, against, metric, taken))
    check_ablation(opened[0], replace=replace)
    rows = pd.concat(
        [ablate_nodes(bench, layers=layers, seed=seed, progress=progress()) for bench in opened],
        ignore_index=True,
    )
    on = _on_fewer(opened[0])
    write_ablation(opened[0], rows, replace=replace)
    for bench in opened:
        bench.close()
        say_folder(bench.run)
    output.emit(Frame(rows), partial(_view, kind="node_curve", size="nodes", on=on))


@command(
    short_help="Keep the n strongest interactions of a section.",
    epilog="Example: lib-graph ablate my-run edges --delta 0.01",
)
@click.option(
    "--delta", default=defaults.DELTA, show_default=True, help="By how much the score may be worse."
)
@_curves
@scoring
@output_options
@click.pass_obj
def edges(
    settings: Any,
    /,
    delta: float,
    layers: str | None,
    against: Path | None,
    metric: str | None,
    seed: int,
    replace: bool,
    output: Output,
    **taken: Any,
) -> None:
    """Keep the n strongest interactions of a section, and find by bisection how many are required.

    Interactions of the constant features are always kept, and not counted. Printed is the number
    required in each section; --json, --csv and --parquet have the curve as well.
    """
    import pandas as pd

    from lib_graph.analysis.ablation import (
        ablate_edges,
        check_ablation,
        write_ablation,
        write_masks,
    )
    from lib_graph.support.tables import Frame

    opened = list(benches(settings.run, against, metric, taken))
    check_ablation(opened[0], masks=True, replace=replace)
    found = [
        ablate_edges(bench, layers=layers, delta=delta, seed=seed, progress=progress())
        for bench in opened
    ]
    rows = pd.concat([each.rows for each in found], ignore_index=True)
    on = _on_fewer(opened[0])
    write_ablation(opened[0], rows, replace=replace)
    write_masks(opened[0], pd.concat([each.masks for each in found]), replace=replace)
    for bench in opened:
        bench.close()
        say_folder(bench.run)
    output.emit(Frame(rows), partial(_view, kind="edges_required", size="edges", on=on))


def benches(
    path: Path, against: Path | None, metric: str | None, taken: Mapping[str, Any]
) -> Iterable[Bench]:
    """Yield the bench of a run, and that of another one that it is held against.

    Raises UsageError if that is the run itself, ConflictError if it is of another network, and what
    `Run.open` and `Bench.of` do.
    """
    from lib_graph.analysis.ablation import Bench
    from lib_graph.run import Run

    run = Run.open(path)
    other = None if against is None else Run.open(against)
    if other is not None:
        _check_same_network(run, other)
    yield Bench.of(run, metric=metric, progress=progress(), **taken)
    if other is not None:
        yield Bench.of(other, metric=metric, progress=progress(), **taken)


def _check_same_network(run: Run, other: Run) -> None:
    if run.id == other.id:
        raise UsageError(f"--against names run {run.id} itself. Give a run in another basis.")
    if run.manifest.model.sha256 != other.manifest.model.sha256:
        raise ConflictError(
            f"Run {other.id} is of another network than run {run.id}: their weights differ. Give a "
            "run of the same one."
        )


def _on_fewer(bench: Bench) -> str:
    """Return what random scores are to be read beside, where they are of fewer samples."""
    from lib_graph.analysis.ablation.curves import RANDOM_ANSWERS

    fewer = bench.sampled(RANDOM_ANSWERS)
    if len(fewer) == len(bench):
        return ""
    return (
        f"random_score: on {len(fewer):,} of the {len(bench):,} samples, on which the whole "
        f"network scores {fewer.baseline:.6g}."
    )


def _view(found: Frame, *, kind: str, size: str, on: str) -> View:
    shown = found.frame[found.frame["kind"] == kind]
    columns = ("basis", "layer", size, "score", "baseline", "random_score")
    rows = [
        (basis, layer, str(count), *(f"{score:.6g}" for score in scores))
        for basis, layer, count, *scores in shown[list(columns)].itertuples(index=False)
    ]
    metric = shown["metric"].iloc[0]
    told = [_sentence(rows, size) for _, rows in shown.groupby(["basis", "layer"], sort=False)]
    heading = [f"score, baseline, random_score: {metric}.", *([on] if on else [])]
    below = "\n".join([*heading, *told])
    return View(columns, rows, frozenset(columns[2:]), below=below)


def _sentence(rows: pd.DataFrame, size: str) -> str:
    """Return how few features of a layer, or interactions out of it, keep the score."""
    from lib_graph.data.evaluation import Metric

    first = rows.iloc[0]
    where, metric = f"{first['layer']} ({first['basis']})", Metric(first["metric"])
    if size == "edges":
        kept = f"{first['edges']} interactions out of {where}"
        return f"{kept} keep the {metric.name} within {first['delta']:g}."
    losses = [metric.loss(score, first["baseline"]) for score in rows["score"]]
    enough = [n for n, loss in zip(rows["nodes"], losses, strict=True) if loss <= defaults.DELTA]
    if not enough:
        return (
            f"No number of features of {where} keeps the {metric.name} within {defaults.DELTA:g}."
        )
    return (
        f"{enough[0]} of the {rows['nodes'].max()} features of {where} keep the {metric.name} "
        f"within {defaults.DELTA:g}."
    )


for _each in (nodes, edges):
    ablate.add_command(_each)
