"""Measure everything, print a table, and write JSON."""

from __future__ import annotations

import json
import os
import platform
import re
import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import click

from benchmarks.builds import measure_builds
from benchmarks.cases import measure_build, measure_help, measure_store
from benchmarks.graphs import COUNTS, measure_graphs
from benchmarks.importing import measure_imports
from benchmarks.measuring import Figure
from benchmarks.modular_addition import measure_modular_addition
from benchmarks.page import measure_page
from benchmarks.sections import measure_sections
from benchmarks.smollm2 import measure_smollm2
from benchmarks.starting import measure_starting
from benchmarks.stores import SIZES, measure_stores

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
TABLE = re.compile(r"(?<=<!-- benchmark -->\n).*(?=<!-- /benchmark -->)", re.DOTALL)
REPOSITORY = Path(__file__).parents[1]
PARTS = (
    "command",
    "starting",
    "sections",
    "modular-addition",
    "builds",
    "smollm2",
    "stores",
    "graphs",
    "page",
)
PACKAGES = ("torch", "neo4j", "kglite", "pandas")


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
@click.option("--repeat", default=3, show_default=True, help="The median of so many is shown.")
@click.option("--json", "file", type=click.Path(path_type=Path), default="build/benchmarks.json",
              show_default=True, help="File to write.")  # fmt: skip
@click.option("--neo4j/--no-neo4j", default=True, show_default=True,
              help="Also on a Neo4j: NEO4J_TEST_URI, else one started for this.")  # fmt: skip
@click.option(
    "--large",
    is_flag=True,
    help="In 'stores' also a run of 10M interactions, in 'graphs' also 1,000 of them.",
)
@click.option("--page", is_flag=True, help="Put the table of all parts into docs/benchmarks.md.")
def main(
    parts: tuple[str, ...], repeat: int, file: Path, neo4j: bool, large: bool, page: bool
) -> None:
    """Measure what the README claims, each figure in new processes; PARTS of it, or all.

    `command` is what users run, on the shipped model; `starting` measures whole processes of small
    jobs, beside those of the version that LIB_GRAPH_BASELINE names (`git worktree add`);
    `sections` and `modular-addition` compare closed forms with loops over backward passes; `builds`
    holds whole builds against the memory they announced, and `smollm2` makes the graph of a
    language model of 135M parameters, once, in about half an hour. `stores` loads runs of 110,000
    and 2.25M interactions and asks about them, with this code and with that of an older commit, and
    has a Neo4j server's own import take them in; `graphs` loads 50 and 150 attribution graphs
    and asks about a feature in all of them; `page` opens the page of such a run in
    Chromium. The file keeps what other parts found on this
    machine before. CPU seconds mean something on a quiet machine only: waiting threads count as
    busy.
    """
    figures = _known(file)
    print(_machine_line())
    print(f"{'':52}{'median':>10}  {'from':>9} {'to':>9}  {'promised':>10}")
    for part in parts or PARTS:
        figures[part] = []
        for new in _measure(part, repeat, neo4j, large):
            figures[part] += new
            for figure in new:
                print(_row(figure), flush=True)
        _write(file, figures)
    print(f"Written to {file}.")
    if page:
        if missing := set(PARTS) - set(figures):
            raise click.UsageError(f"The table needs {', '.join(sorted(missing))} too.")
        every = [figure for part in PARTS for figure in figures[part]]
        table = "\n".join([*_markdown(every), "", f"On {_machine_line()}.", ""])
        PAGE.write_text(TABLE.sub(lambda _: table, PAGE.read_text(encoding="utf-8")))
    if any(figure.kept is False for part in parts or PARTS for figure in figures[part]):
        sys.exit("Some promises are not kept here.")


def _known(file: Path) -> dict[str, list[Figure]]:
    """Return the figures in a file by part, if they are of this machine and these versions."""
    if not file.is_file():
        return {}
    found = json.loads(file.read_text(encoding="utf-8"))
    if {**found["machine"], "load": None} != {**_machine(), "load": None}:
        return {}
    return {
        part: [Figure(**{**row, "values": tuple(row["values"])}) for row in rows]
        for part, rows in found["parts"].items()
    }


def _write(file: Path, figures: Mapping[str, list[Figure]]) -> None:
    parts = {part: [asdict(figure) for figure in found] for part, found in figures.items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"machine": _machine(), "parts": parts}, indent=1) + "\n")


def _measure(part: str, repeat: int, neo4j: bool, large: bool) -> Iterator[list[Figure]]:
    """Yield the figures of a part, as they come."""
    if part == "starting":
        yield measure_starting(repeat)
    elif part == "sections":
        yield measure_sections(repeat)
    elif part == "modular-addition":
        yield measure_modular_addition(repeat)
    elif part == "builds":
        yield from measure_builds(repeat)
    elif part == "smollm2":
        yield from measure_smollm2()
    elif part == "stores":
        with tempfile.TemporaryDirectory() as name:
            sizes = tuple(SIZES) if large else tuple(SIZES)[:-1]
            yield from measure_stores(Path(name), repeat, sizes)
            if neo4j:
                yield from measure_imports(Path(name), sizes)
    elif part == "graphs":
        with tempfile.TemporaryDirectory() as name:
            counts = COUNTS if large else COUNTS[:-1]
            yield from measure_graphs(Path(name), repeat, counts)
    elif part == "page":
        with tempfile.TemporaryDirectory() as name:
            yield measure_page(Path(name), repeat)
    else:
        yield from _measure_command(repeat, neo4j)


def _measure_command(repeat: int, neo4j: bool) -> Iterator[list[Figure]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield measure_help(repeat)
        for basis, dtype in (("lib", "float64"), ("lib", "float32"), ("pca", "float64")):
            yield measure_build(folder, repeat, basis, dtype)
        run = folder / "lib-float64-0"
        embedded = [str(folder / f"{i}.kgl") for i in range(repeat)]
        yield measure_store(run, embedded, "embedded", 2.0)
        if neo4j:
            with _neo4j(folder / "neo4j") as uri:
                yield measure_store(run, [uri] * repeat, "neo4j", 10.0)


def _row(figure: Figure) -> str:
    low, high = min(figure.values), max(figure.values)
    sign = ">" if figure.at_least else "<"
    promise = "" if figure.limit is None else f"{sign} {figure.limit:g}"
    broken = "  NOT KEPT" if figure.kept is False else ""
    return (
        f"{figure.name:46}{figure.unit:>6}{figure.median:10.3f}  {low:9.3f} {high:9.3f}"
        f"  {promise:>10}{broken}"
    )


def _markdown(figures: list[Figure]) -> Iterator[str]:
    """Yield the lines of the page's table."""
    yield "| what | median | promised |"
    yield "|---|---|---|"
    for figure in figures:
        word = "at least" if figure.at_least else "under"
        promise = "" if figure.limit is None else f"{word} {figure.limit:g} {figure.unit}"
        yield f"| {figure.name} | {_digits(figure.median)} {figure.unit} | {promise} |"


def _digits(value: float) -> str:
    return f"{value:.2f}" if value >= 1 else f"{value:.2g}"


def _machine() -> dict[str, object]:
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def _machine_line() -> str:
    return ", ".join(f"{name} {value}" for name, value in _machine().items())


@contextmanager
def _neo4j(home: Path) -> Iterator[str]:
    """Yield the address of a server; the environment gets what it takes to log in."""
    if uri := os.environ.get("NEO4J_TEST_URI"):
        yield uri
        return
    sys.path.insert(0, str(REPOSITORY / "tools" / "neo4j"))
    from server import start  # type: ignore[import-not-found]

    server = start(home, secrets.token_hex(12), bound=True)
    os.environ |= {"NEO4J_USERNAME": server.username, "NEO4J_PASSWORD": server.password}
    try:
        yield server.uri
    finally:
        server.stop()


if __name__ == "__main__":
    main()
