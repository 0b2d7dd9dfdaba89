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

PARQUET = (".parquet", ".pq")

F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R", bound="Rows")


@dataclass(frozen=True)
class Output:
    """What the options of a verb ask for."""

    as_json: bool = False
    as_csv: bool = False
    parquet: Path | None = None
    as_lines: bool = False
    wide: bool = False

    def emit(self, rows: R, view: Callable[[R], View]) -> None:
        """Print rows in the way that was asked for; `view` makes their table."""
        from lib_graph.support.files import whole_file
        from lib_graph.support.tables import records_of, write_csv, write_parquet
        from lib_graph.support.texts import counted, json_text

        if self.as_json:
            click.echo(json_text(rows.json_value(), indent=1))
        elif self.as_lines:
            for record in records_of(rows.to_pandas()):
                click.echo(json_text(record))
        elif self.as_csv:
            write_csv([rows.to_pandas()], sys.stdout)
        elif self.parquet is not None:
            table = rows.to_pandas()
            with whole_file(self.parquet) as temporary, temporary.open("wb") as file:
                write_parquet([table], file)
            click.echo(f"Wrote {counted(len(table), 'row')} to {self.parquet}.", err=True)
        else:
            print_view(view(rows), wide=self.wide)


def output_options(verb: F) -> F:
    """Give a verb the options of its output, and an `Output` as the argument `output`."""

    @wraps(verb)
    def wrapped(
        *args: Any,
        as_json: bool,
        as_lines: bool,
        as_csv: bool,
        parquet: Path | None,
        wide: bool,
        **kwargs: Any,
    ) -> Any:
        if as_json + as_lines + as_csv + (parquet is not None) > 1:
            raise UsageError(
                "--json, --json-lines, --csv and --parquet exclude each other. Give one of them."
            )
        if parquet is not None and parquet.suffix not in PARQUET:
            raise UsageError(
                f"--parquet writes a Parquet file, and {str(parquet)!r} is called otherwise. Name "
                f"it {str(parquet.with_suffix('.parquet'))!r}."
            )
        return verb(*args, output=Output(as_json, as_csv, parquet, as_lines, wide), **kwargs)

    for option in (
        click.option("--wide", is_flag=True, help="A table as wide as its ids need."),
        click.option("--parquet", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
                     help="Write a Parquet file."),
        click.option("--csv", "as_csv", is_flag=True, help="Print CSV."),
        click.option("--json-lines", "as_lines", is_flag=True, help="Print JSON, a line per row."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    ):  # fmt: skip
        option(wrapped)
    return wrapped  # type: ignore[return-value]


def print_view(view: View, *, wide: bool = False) -> None:
    """Print a table for a person: with rules on a terminal, a line per row elsewhere.

    On a terminal no line is longer than it, unless `wide` (`lib_graph.cli.widths`).
    """
    if view.above:
        click.echo(view.above)
    if view.rows and sys.stdout.isatty():
        _print_rich(view, wide)
    elif view.rows:
        click.echo("\n".join(view.lines()))
    if view.below:
        click.echo(view.below)


def _print_rich(view: View, wide: bool) -> None:
    """Print to a terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from lib_graph.cli.widths import GAP, fitted

    console = Console(highlight=False, markup=False)
    widths = fitted(view, console.width, wide=wide)
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1 if widths.gap == GAP else 0, 0, 1),  # and a column of the box
        pad_edge=False,
        show_edge=False,
    )
    for name, width in zip(view.columns, widths.columns, strict=True):
        table.add_column(
            name,
            justify="right" if name in view.numbers else "left",
            width=width,
            overflow="fold",
        )
    for row in view.rows:
        table.add_row(*row)
    console.width = max(console.width, widths.total)
    console.print(table)
