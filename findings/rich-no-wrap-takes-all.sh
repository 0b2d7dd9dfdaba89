#!/usr/bin/env bash
# One column that may not wrap takes the whole line, and the other columns are gone without a word.
#
# Guess:    a text that may not wrap is cut with an ellipsis, so that every column has the width that it
#           needs at least; or the table, which says that it fits (minimum 16 of 40), fits.
# Instead:  at 40 columns a text of 38 is shown whole, and neither the number nor the word beside it is
#           there. With the same text allowed to wrap, all three are.
# Versions: rich 15.0.0.
# Who:      a table of long names with numbers, on a terminal or in a log of 80 columns.
# Around:   Column.max_width or min_width by one's own arithmetic; Measurement.get(...).minimum takes a
#           cell of several words for as wide as its longest word.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check rich==15.0.0
venv/bin/python -W ignore - <<'PY'
import io
import sys
from importlib.metadata import version

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

CELLS = ("what layer one does to layer two, then", "0.25", "circuit")


def shown(no_wrap):
    table = Table(box=None)
    table.add_column("path", no_wrap=no_wrap)
    table.add_column("share")
    table.add_column("part of")
    table.add_row(*CELLS)
    console = Console(file=io.StringIO(), width=40, color_system=None)
    least = Measurement.get(console, console.options, table).minimum
    console.print(table)
    return least, console.file.getvalue()


print(f"rich {version('rich')}")
seen = {no_wrap: shown(no_wrap) for no_wrap in (True, False)}
for no_wrap, (least, text) in seen.items():
    print(f"no_wrap={no_wrap}, said to need {least} of 40:\n{text}")
(least, whole), (_, wrapped) = seen.values()
if (
    least > 40
    or CELLS[0] not in whole
    or any(cell in whole for cell in CELLS[1:])
    or not all(cell in wrapped for cell in CELLS[1:])
):
    sys.exit("The behaviour has changed.")
PY
