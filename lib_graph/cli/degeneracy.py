"""`lib-graph degeneracy`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lib_graph.cli.commands import command, progress, say_folder
from lib_graph.cli.options import resources
from lib_graph.cli.output import Output, output_options
from lib_graph.support import defaults
from lib_graph.support.view import View

if TYPE_CHECKING:
    import pandas as pd

    from lib_graph.analysis.degeneracy.tables import Degeneracy

__all__ = ["degeneracy"]

TABLES = ("layers", "units", "maps", "gauges")
TITLES = {
    "layers": "Ranks: of the activations (PCA), of the basis (LIB), of what is read",
    "units": "ReLU units that fire on the same inputs, up to a share of them",
    "maps": "Linear maps: parameter directions that change nothing on these data",
    "gauges": "Gauges: parameter directions that change nothing on any data",
}


@command(epilog="Example: lib-graph degeneracy my-run")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--model", help="The network, where it is not where the build found it.")
@click.option("--data", metavar="PLACE", help="Of that network: its data, as for 'build'.")
@click.option(
    "--share",
    default=defaults.NEARLY,
    show_default=True,
    help="Units are nearly synchronised if they differ on up to this share of the inputs.",
)
@click.option(
    "--of",
    "table",
    type=click.Choice(TABLES),
    help="Only this table.  [default: all; with --csv and --parquet, layers]",
)
@resources
@output_options
def degeneracy(
    run: Path,
    model: str | None,
    data: str | None,
    share: float,
    table: str | None,
    memory: int,
    device: str,
    output: Output,
) -> None:
    """Tell how degenerate the network of the folder RUN is on its data.

    Ranks of each layer, ReLU units that fire together, parameters that could move without any
    effect, and known gauges. The network and its data are loaded again and held against the run.
    Linear maps and gauges are those of sections whose kind is known.
    """
    from lib_graph.analysis.degeneracy.tables import degeneracy_of
    from lib_graph.errors import UsageError
    from lib_graph.networks import load_subject
    from lib_graph.run import Run

    if data is not None and model is None:
        raise UsageError("--data goes with --model. Give both.")
    subject = None if model is None else load_subject(model, data)
    opened = Run.open(run)
    found = degeneracy_of(
        opened, subject, share=share, memory=memory, device=device, progress=progress()
    )
    say_folder(opened)
    output.emit(_Selected(found, table), lambda selected: selected.view())


@dataclass(frozen=True)
class _Selected:
    """The tables that were asked for."""

    found: Degeneracy
    table: str | None

    def json_value(self) -> Any:
        """Return one table, or all by name."""
        value = self.found.json_value()
        return value if self.table is None else value[self.table]

    def to_pandas(self) -> pd.DataFrame:
        """Return one table."""
        frame: pd.DataFrame = getattr(self.found, self.table or "layers")
        return frame

    def view(self) -> View:
        """Return a table for a person, the other tables as text above the last."""
        *others, last = [self.table] if self.table else TABLES
        above = [f"{TITLES[name]}\n{_text(self.found, name)}\n" for name in others]
        view = _view(self.found, last)
        return View(
            view.columns, view.rows, view.numbers, above="\n".join([*above, TITLES[last]]),
            below=view.below,
        )  # fmt: skip


def _text(found: Degeneracy, name: str) -> str:
    view = _view(found, name)
    return "\n".join(view.lines()) if view.rows else view.below


def _view(found: Degeneracy, name: str) -> View:
    frame = getattr(found, name).drop(columns="members", errors="ignore")
    texts = {"layer", "map", "name"}
    rows = [tuple(map(_cell, row)) for row in frame.itertuples(index=False)]
    below = "" if rows else "There are none, in sections whose kind is known."
    return View(tuple(frame.columns), rows, frozenset(frame.columns) - texts, below=below)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"
    return "" if str(value) == "<NA>" else str(value)
