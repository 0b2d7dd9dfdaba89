"""The verbs that write files: export and plot."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import click

from lib_graph.cli.commands import command, progress, say_run
from lib_graph.errors import UsageError
from lib_graph.support import defaults
from lib_graph.support.files import whole_file
from lib_graph.support.texts import counted
from queries.cli.options import (
    given,
    limit_option,
    min_share_option,
    min_strength_option,
    run_options,
    saved_option,
    source_option,
    target_option,
)

if TYPE_CHECKING:
    from queries.circuits.circuit import Circuit
    from queries.graph import Graph

__all__ = ["CHARTS", "export", "plot"]

LAYERED = ("paths", "circuit", "interactions")
CHARTS = ("importances", "modules", "strengths", "ablation")
"""Pictures of a whole run, which take no ends"""

USELESS = {
    "features": ("target", "source", "min_share", "saved", "min_strength"),
    "interactions": ("target", "source", "min_share", "saved"),
    "circuit": ("min_strength",),
    "runs": ("store", "run", "target", "source", "min_share", "saved", "min_strength"),
}
"""What is exported -> the options that say nothing of it"""

NO_END = "A circuit needs an end. Give --target LAYER/INDEX, or --saved NAME."

IMPORTS: dict[str | None, Literal["csv", "parquet"]] = {
    "neo4j-admin": "csv",
    "neo4j-admin-parquet": "parquet",
}
"""--format of runs -> what the files are"""


@command(short_help="Write features, interactions or a circuit to a file.")
@click.argument("what", type=click.Choice(["features", "interactions", "circuit", "runs"]))
@click.argument("folders", metavar="[FOLDER]...", nargs=-1, type=click.Path(path_type=Path))
@run_options
@click.option("--format", metavar="FORMAT", help="parquet, csv or json: rows (json: all of a "
              "circuit); graphml, gexf, cyjs, node-link or neuronpedia: a graph; of runs "
              "neo4j-admin (CSV) or neo4j-admin-parquet.  [default: what the suffix of --out "
              "says]")  # fmt: skip
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path),
              help="Of runs a new folder.  [default: standard output]")  # fmt: skip
@min_strength_option
@target_option
@source_option
@min_share_option
@saved_option
def export(
    what: str,
    folders: tuple[Path, ...],
    store: str | None,
    run: str | None,
    out: Path | None,
    **options: Any,
) -> None:
    """Write features, interactions or a circuit, with labels, for other programs.

    Or write whole runs, from their folders, for the import that a Neo4j server brings: several
    times as fast as 'lib-graph ingest', but the server must be stopped, and the import replaces
    all that its database holds.

    \b
    lib-graph export interactions --format parquet --out interactions.parquet
    lib-graph export circuit --target output/5 --out circuit.gexf
    lib-graph export circuit --saved five --out five.graphml
    lib-graph export runs my-run other-run --format neo4j-admin --out import
    """  # noqa: D301  \b is click's mark
    from queries.export import format_of
    from queries.graph import open_graph

    if typed := given(*USELESS[what]):
        raise UsageError(f"{' and '.join(typed)} cannot be used for {what}. Leave it out.")
    if what == "runs":
        _export_runs(folders, options["format"], out)
        return
    if folders:
        raise UsageError(f"{what} come from a store. Give --run, and no folder.")
    options["format"] = format_of(out, options["format"])
    if what == "circuit":
        _check_saved(options["saved"], "target", "source", "min_share")
        if options["target"] is None and options["saved"] is None:
            raise UsageError(NO_END)
    if out is None and options["format"] == "parquet" and sys.stdout.isatty():
        raise UsageError("Parquet is not for a terminal. Give --out FILE.")
    with open_graph(store, run) as graph:
        if out is None:
            _export(graph, what, sys.stdout.buffer, **options)
        else:
            with whole_file(out) as temporary, temporary.open("wb") as file:
                _export(graph, what, file, **options)
            click.echo(f"Wrote {out}.", err=True)
        say_run(graph.run.id, graph.run.name, graph.run.base)


def _export_runs(folders: tuple[Path, ...], format: str | None, out: Path | None) -> None:
    """Write run folders for neo4j-admin, and say what to do with them."""
    from ingest.offline import write_import

    if format not in IMPORTS:
        raise UsageError(
            f"Runs are written as {' or '.join(map(str, IMPORTS))}. Give one with --format."
        )
    if out is None:
        raise UsageError("Runs are written into a new folder. Give --out FOLDER.")
    report = write_import(folders, out, format=IMPORTS[format], progress=progress())
    click.echo(f"{report}\nWith the server stopped:  {report.command}")
    again = "\n".join(
        f"  lib-graph ingest {shlex.quote(str(each))} --store neo4j" for each in folders
    )
    click.echo(f"Then start it, and check it and add its indexes:\n{again}")


def _export(
    graph: Graph,
    what: str,
    file: IO[bytes],
    *,
    format: Any,
    min_strength: float,
    **circuit: Any,
) -> None:
    from queries.export import export_circuit, export_features, export_interactions

    if what == "features":
        export_features(graph, file, format=format)
    elif what == "interactions":
        export_interactions(graph, file, format=format, min_strength=min_strength)
    else:
        saved = circuit.pop("saved")
        found = graph.circuit(**circuit) if saved is None else graph.circuits.load(saved)
        export_circuit(found, file, format=format, run=graph.run, prompt=graph.prompt())


@command(short_help="Draw a circuit, the strongest paths, or a whole run.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@run_options
@click.option("--of", "what", type=click.Choice([*LAYERED, *CHARTS]), default="paths",
              show_default=True)  # fmt: skip
@target_option
@source_option
@limit_option(defaults.DRAWN, "How many paths or interactions; how many features of each layer.")
@min_share_option
@saved_option
@click.option("--modules/--no-modules", default=True, show_default=True, help="Colour by module.")
def plot(
    file: Path, store: str | None, run: str | None, what: str, modules: bool, **options: Any
) -> None:
    """Draw paths, a circuit or interactions into FILE, or a picture of a whole run.

    Of paths, circuit and interactions the columns are layers, width is share, colour is module. Of
    a whole run: importances (by rank), modules (of every layer's features, the most important
    first), strengths (maps of each section, ordered by module) and ablation (scores of what
    'lib-graph ablate' kept, as they were when the run was ingested). The suffix says PNG, SVG or
    PDF.

    \b
    lib-graph plot paths.png --target output/5
    lib-graph plot circuit.svg --of circuit --target output/5 --min-share 0.1
    lib-graph plot five.pdf --of circuit --saved five
    lib-graph plot strengths.pdf --of strengths
    """  # noqa: D301  \b is click's mark
    from queries.graph import open_graph
    from queries.pictures.circuit import plot_circuit
    from queries.pictures.figures import check_suffix, save_figure
    from queries.pictures.whole import draw_run

    check_suffix(file)
    if options["saved"] is not None and what != "circuit":
        raise UsageError("--saved goes with --of circuit.")
    _check_saved(options["saved"], "target", "source", "limit", "min_share")
    with open_graph(store, run) as graph:
        if what in CHARTS:
            save_figure(draw_run(graph, what, limit=options["limit"]), file)
            click.echo(f"Wrote {file}.", err=True)
            say_run(graph.run.id, graph.run.name, graph.run.base)
            return
        circuit, title = _picture(graph, what, **options)
        found = graph.communities() if modules and len(circuit) else None
        plot_circuit(circuit, file, communities=found, title=f"{graph.run.name}: {title}")
    size = f"{counted(len(circuit.features), 'feature')}, {counted(len(circuit), 'interaction')}"
    click.echo(f"Wrote {file}: {size}.", err=True)
    say_run(graph.run.id, graph.run.name, graph.run.base)


def _check_saved(saved: str | None, *others: str) -> None:
    """Raise UsageError if options were typed that say nothing of a circuit that is saved."""
    if saved is not None and (typed := given(*others)):
        raise UsageError(f"--saved takes the circuit as it is, without {' and '.join(typed)}.")


def _picture(
    graph: Graph,
    what: str,
    *,
    source: str | None,
    target: str | None,
    limit: int,
    min_share: float,
    saved: str | None,
) -> tuple[Circuit, str]:
    """Return what to draw, and its title."""
    from queries.pictures.circuit import describe_saved

    if saved is not None:
        circuit = graph.circuits.load(saved)
        return circuit, describe_saved(circuit)
    where = f" from {source}" * (source is not None) + f" to {target}" * (target is not None)
    if what == "circuit":
        if target is None:
            raise UsageError(NO_END)
        circuit = graph.circuit(source=source, target=target, min_share=min_share)
        return circuit, f"circuit{where}, every share at least {min_share:g}"
    if what == "paths":
        paths = graph.paths(source=source, target=target, k=limit)
        return graph.circuit_of(paths), f"the {len(paths)} strongest paths{where}"
    interactions = graph.interactions(source=source, target=target, limit=limit)
    count = len(interactions.frame)
    return graph.circuit_of(interactions), f"the {count} strongest interactions{where}"
