"""`lib-graph demo`: the main job from a trained network to circuits, each step with its command."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click

from lib_graph.cli.commands import command, progress
from lib_graph.support import defaults
from lib_graph.support.texts import counted

__all__ = ["demo"]

MIN_SHARE = 0.1  # of the circuit that is shown
PATHS = 5
WIDTH = 80


@command()
@click.option(
    "--out",
    default="lib-graph-demo",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the run, the store and the picture.",
)
@click.option("--answer", type=click.IntRange(0, 112), default=5, show_default=True,
              help="The sum to explain.")  # fmt: skip
def demo(out: Path, answer: int) -> None:
    """Show all of lib-graph once, on the network that comes with it.

    The network adds two numbers modulo 113. Its graph is built, loaded into the embedded store, and
    asked what leads to one answer. Needs no server and no download.
    """
    import ingest
    from lib_graph.building.build import build
    from lib_graph.cli.output import print_view
    from lib_graph.networks import load_subject, shipped_model
    from queries.cli.options import print_statements
    from queries.graph import open_graph
    from queries.pictures.circuit import plot_circuit
    from queries.views.answers import circuit_view, paths_view
    from queries.views.modules import communities_view

    run, store, picture = out / "run", out / "lib-graph.kgl", out / "circuit.svg"
    run_text, store_text, picture_text = (shlex.quote(str(path)) for path in (run, store, picture))
    target = f"output/{answer}"
    show = progress()

    _step("A trained network becomes features and interactions.",
          f"lib-graph build {shlex.quote(str(shipped_model()))} --out {run_text}")  # fmt: skip
    built = build(load_subject(shipped_model()), run, progress=show)
    click.echo(", ".join(f"{x.name}: {counted(x.features, 'feature')}" for x in built.layers))

    _step("They go into a graph store.", f"lib-graph ingest {run_text} --store {store_text}")
    click.echo(str(ingest.load(run, store, progress=show)))

    at = f"--store {store_text}"
    with open_graph(store, built.id) as graph:
        _step(f"What leads to the answer {answer}? The strongest paths:",
              f"lib-graph paths --target {target} -k {PATHS} {at}")  # fmt: skip
        paths = graph.paths(target=target, k=PATHS)
        print_view(paths_view(paths))

        _step("The circuit of all paths whose every share is at least 10 %:",
              f"lib-graph circuit --target {target} --min-share {MIN_SHARE} {at}")  # fmt: skip
        circuit = graph.circuit(target=target, min_share=MIN_SHARE)
        print_view(circuit_view(circuit))

        _step("Modules, and the Fourier frequencies that their features stand for:",
              f"lib-graph communities {at}")  # fmt: skip
        communities = graph.communities(null=defaults.SHUFFLED)
        print_view(communities_view(communities))

        what = f"--of circuit --target {target} --min-share {MIN_SHARE}"
        _step("A picture: columns are layers, width is share, colour is module.",
              f"lib-graph plot {picture_text} {what} {at}")  # fmt: skip
        plot_circuit(circuit, picture, communities=communities, title=f"What leads to {target}")
        click.echo(f"Open {picture}.")

    _step("The paths were found by this Cypher, which Neo4j Browser runs as it is:",
          f"lib-graph paths --target {target} -k {PATHS} {at} --show-cypher")  # fmt: skip
    print_statements((), paste=paths.pasted)
    click.echo(_next(run_text, at, target))


def _step(what: str, how: str) -> None:
    click.secho(f"\n{what}", bold=True)
    click.secho(_folded(f"$ {how}"), fg="cyan")


def _folded(command: str) -> str:
    r"""Return a command on lines of at most WIDTH characters where its options let it be broken.

    >>> print(_folded("$ lib-graph paths --target output/5 --store graph.kgl"))
    $ lib-graph paths --target output/5 --store graph.kgl
    >>> store = "--store a-long-folder/lib-graph.kgl"
    >>> print(_folded(f"lib-graph plot a-long-folder/the-circuit.svg {store}"))
    lib-graph plot a-long-folder/the-circuit.svg \
        --store a-long-folder/lib-graph.kgl
    """
    lines: list[str] = []
    for part in re.split(" (?=-)", command):
        if lines and len(lines[-1]) + len(part) + 3 <= WIDTH:  # a blank, and " \\" behind it
            lines[-1] += f" {part}"
        else:
            lines.append(part if not lines else f"    {part}")
    return " \\\n".join(lines)


def _next(run: str, at: str, target: str) -> str:
    features = f"  lib-graph features --layer ln2.0 --sort importance {at}"
    export = f"  lib-graph export circuit --target {target} --out circuit.graphml {at}"
    return f"""
What next?
{_folded(features)}
{_folded(export)}
  lib-graph train modular-addition --out my-model
  lib-graph build my-model --out my-run

In a real Neo4j, with Docker (docker compose up -d) or without (tools/neo4j/run):
  export NEO4J_URI=bolt://127.0.0.1:7687 NEO4J_PASSWORD=…
  lib-graph ingest {run} --store neo4j
  lib-graph paths --target {target} --store neo4j"""
