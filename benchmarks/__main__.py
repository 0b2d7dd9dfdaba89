"""Measure everything, print a table, and write JSON."""

from __future__ import annotations

import json
import os
import platform
import re
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import click

from benchmarks.cases import measure_build, measure_help, measure_store
from benchmarks.measuring import Figure

README = Path(__file__).parents[1] / "README.md"
TABLE = re.compile(r"(?<=<!-- benchmark -->\n).*(?=<!-- /benchmark -->)", re.DOTALL)
REPOSITORY = Path(__file__).parents[1]
PACKAGES = ("torch", "neo4j", "kglite", "pandas")


@click.command()
@click.option("--repeat", default=3, show_default=True, help="The median of so many is shown.")
@click.option("--json", "file", type=click.Path(path_type=Path), default="build/benchmarks.json",
              show_default=True, help="File to write.")  # fmt: skip
@click.option("--neo4j/--no-neo4j", default=True, show_default=True,
              help="Also on a Neo4j: NEO4J_TEST_URI, else one started for this.")  # fmt: skip
@click.option("--readme", is_flag=True, help="Put the table into README.md too.")
def main(repeat: int, file: Path, neo4j: bool, readme: bool) -> None:
    """Measure what the README claims, on the shipped model, each figure in new processes.

    CPU seconds mean something on a quiet machine only: waiting threads count as busy.
    """
    figures: list[Figure] = []

    def take(new: list[Figure]) -> None:
        figures.extend(new)
        for figure in new:
            print(_row(figure), flush=True)

    print(_machine_line())
    print(f"{'':52}{'median':>10}  {'from':>9} {'to':>9}  {'promised':>10}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        take(measure_help(repeat))
        for basis, dtype in (("lib", "float64"), ("lib", "float32"), ("pca", "float64")):
            take(measure_build(folder, repeat, basis, dtype))
        run = folder / "lib-float64-0"
        embedded = [str(folder / f"{i}.kgl") for i in range(repeat)]
        take(measure_store(run, embedded, "embedded", 2.0))
        if neo4j:
            with _neo4j(folder / "neo4j") as uri:
                take(measure_store(run, [uri] * repeat, "neo4j", 10.0))
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [asdict(figure) | {"median": figure.median} for figure in figures]
    file.write_text(json.dumps({"machine": _machine(), "figures": rows}, indent=1) + "\n")
    print(f"Written to {file}.")
    if readme:
        table = "\n".join([*_markdown(figures), "", f"On {_machine_line()}.", ""])
        README.write_text(TABLE.sub(lambda _: table, README.read_text(encoding="utf-8")))
    if any(figure.kept is False for figure in figures):
        sys.exit("Some promises are not kept here.")


def _row(figure: Figure) -> str:
    low, high = min(figure.values), max(figure.values)
    promise = "" if figure.limit is None else f"< {figure.limit:g}"
    broken = "  NOT KEPT" if figure.kept is False else ""
    return (
        f"{figure.name:46}{figure.unit:>6}{figure.median:10.3f}  {low:9.3f} {high:9.3f}"
        f"  {promise:>10}{broken}"
    )


def _markdown(figures: list[Figure]) -> Iterator[str]:
    """Yield the lines of the README's table."""
    yield "| what | median | promised |"
    yield "|---|---|---|"
    for figure in figures:
        promise = "" if figure.limit is None else f"under {figure.limit:g} {figure.unit}"
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

    server = start(home, secrets.token_hex(12))
    os.environ |= {"NEO4J_USERNAME": server.username, "NEO4J_PASSWORD": server.password}
    try:
        yield server.uri
    finally:
        server.stop()


if __name__ == "__main__":
    main()
