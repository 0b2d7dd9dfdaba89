"""How a verb prints rows: a table, JSON, CSV or Parquet.

A terminal gets a table with rules, anything else the same columns plain; only the answer goes to
stdout.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from lib_graph.errors import UsageError
from lib_graph.support.view import Rows, View

__all__ = ["Output", "output_options", "print_view"]

LEAST_WIDTH = 24  # of a column that is broken over lines

F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R", bound="Rows")


@dataclass(frozen=True)
class Output:
    """What the options of a verb ask for."""

    as_json: bool = False
    as_csv: bool = False
    parquet: Path | None = None

    def emit(self, rows: R, view: Callable[[R], View]) -> None:
        """Print rows in the way that was asked for; `view` makes their table."""
        from lib_graph.support.files import whole_file
        from lib_graph.support.tables import write_csv, write_parquet
        from lib_graph.support.texts import json_text

        if self.as_json:
            click.echo(json_text(rows.json_value(), indent=1))
        elif self.as_csv:
            write_csv([rows.to_pandas()], sys.stdout)
        elif self.parquet is not None:
            table = rows.to_pandas()
            with whole_file(self.parquet) as temporary, temporary.open("wb") as file:
                write_parquet([table], file)
            click.echo(f"Wrote {len(table):,} rows to {self.parquet}.", err=True)
        else:
            print_view(view(rows))


def output_options(verb: F) -> F:
    """Give a verb the options of its output, and an `Output` as the argument `output`."""

    @wraps(verb)
    def wrapped(
        *args: Any, as_json: bool, as_csv: bool, parquet: Path | None, **kwargs: Any
    ) -> Any:
        if as_json + as_csv + (parquet is not None) > 1:
            raise UsageError("--json, --csv and --parquet exclude each other. Give one of them.")
        return verb(*args, output=Output(as_json, as_csv, parquet), **kwargs)

    for option in (
        click.option("--parquet", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
                     help="Write a Parquet file."),
        click.option("--csv", "as_csv", is_flag=True, help="Print CSV."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    ):  # fmt: skip
        option(wrapped)
    return wrapped  # type: ignore[return-value]


def print_view(view: View) -> None:
    """Print a table for a person: with rules on a terminal, a line per row elsewhere."""
    if view.above:
        click.echo(view.above)
    if view.rows and sys.stdout.isatty():
        _print_rich(view)
    elif view.rows:
        click.echo("\n".join(view.lines()))
    if view.below:
        click.echo(view.below)


def _print_rich(view: View) -> None:
    """Print to a terminal; a table whose numbers and ids need more width is that wide."""
    from rich import box
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for i, name in enumerate(view.columns):
        number = name in view.numbers
        table.add_column(
            name,
            justify="right" if number else "left",
            no_wrap=number or name in view.whole,
            min_width=min(LEAST_WIDTH, max(len(row[i]) for row in (view.columns, *view.rows))),
            overflow="fold",
        )
    for row in view.rows:
        table.add_row(*row)
    console = Console(highlight=False, markup=False)
    options = console.options.update(max_width=1_000_000)
    console.width = max(console.width, Measurement.get(console, options, table).minimum)
    console.print(table)
