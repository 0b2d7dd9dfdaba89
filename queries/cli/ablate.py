"""`lib-graph ablate RUN circuit`: a circuit of a file, of a store, or one that is found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lib_graph.cli.ablate import ablate, benches, scoring
from lib_graph.cli.commands import command, progress, say_folder
from lib_graph.errors import UsageError
from lib_graph.support import defaults
from lib_graph.support.texts import json_text
from queries.cli.options import store_option

if TYPE_CHECKING:
    from lib_graph.run.circuit import CircuitFile

__all__ = ["ablate"]


@command(epilog="Example: lib-graph ablate my-run circuit --keep-score 0.01 --out circuit.json")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--saved", metavar="NAME", help="Instead of a FILE: a circuit that is saved in the "
              "store, which gets the scores.")  # fmt: skip
@click.option(
    "--keep-score", type=float, metavar="DELTA",
    help="Instead of a FILE: find a small circuit whose score is worse by at most DELTA.",
)  # fmt: skip
@click.option(
    "--rank",
    default=defaults.RANK,
    show_default=True,
    help="What --keep-score ranks interactions by: strength or share.",
)
@click.option(
    "--draws", default=defaults.DRAWS, show_default=True, help="Random circuits of the same size."
)
@click.option("--out", type=click.Path(path_type=Path), help="Write the circuit with its scores.")
@store_option
@scoring
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the circuit, with its scores.")
@click.pass_obj
def circuit(
    settings: Any,
    /,
    file: Path | None,
    saved: str | None,
    keep_score: float | None,
    store: str | None,
    out: Path | None,
    replace: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Keep a whole circuit, in all sections at once, and nothing else.

    FILE is a circuit as 'lib-graph export circuit --format json' writes it. Random circuits have as
    many interactions in each section. A circuit that leads to some answers is scored on those: the
    effect on their logits that is kept, and whether they are told from the others. With --metric,
    and where it leads to all answers, the score is over all.
    """
    from lib_graph.run import Run
    from lib_graph.run.circuit import read_circuit
    from queries.graph import open_graph
    from queries.views.scores import tested_lines

    if [file, saved, keep_score].count(None) != 2:
        raise UsageError(
            "Name a circuit's FILE, or one that is --saved, or let --keep-score find one: one of "
            "the three."
        )
    if store is not None and saved is None:
        raise UsageError("--store is where a circuit is --saved. Leave it out, or name that.")
    run = Run.open(settings.run)
    given = None if file is None else read_circuit(file)
    if saved is not None:
        with open_graph(store, run.id) as graph:
            given = graph.circuits.load(saved).file()
    tested = _tested(run.path, given, keep_score, replace=replace, **options)
    if out is not None:
        tested.write(out)
    if saved is not None:
        with open_graph(store, run.id) as graph:
            graph.circuits.score(saved, tested)
    say_folder(run)
    if as_json:
        click.echo(json_text(tested.json_value(), indent=1))
    else:
        click.echo("\n".join(tested_lines(tested)))


def _tested(
    run: Path,
    given: CircuitFile | None,
    keep_score: float | None,
    *,
    metric: str | None,
    rank: Any,
    draws: int,
    seed: int,
    replace: bool,
    **taken: Any,
) -> CircuitFile:
    """Return a circuit with its scores, which the run folder keeps too."""
    from lib_graph.analysis.ablation import (
        ablate_circuit,
        answers_of,
        check_ablation,
        smallest_circuit,
        write_ablation,
    )

    (bench,) = benches(run, None, metric, taken)
    check_ablation(bench, replace=replace)
    if keep_score is not None:
        given = smallest_circuit(bench, keep_score, rank=rank, progress=progress())
    assert given is not None
    claimed = () if metric else answers_of(bench, given)
    score = ablate_circuit(
        bench, given, answers=claimed, draws=draws, seed=seed, progress=progress()
    )
    write_ablation(bench, score.row(bench), replace=replace)
    return given.scored(score.scores())


ablate.add_command(circuit)
