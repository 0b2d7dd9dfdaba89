"""What the doctor found, as a table for a person: what is amiss comes below, with what to do."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from lib_graph.support.view import View

if TYPE_CHECKING:
    from queries.doctor.checks import Check, Checkup

__all__ = ["checkup_view"]

WIDTH = 80


def checkup_view(checkup: Checkup) -> View:
    """Return the checks; below them, of each that is not ok, what it costs and what to do."""
    rows = [(check.of, check.name, check.state, check.found) for check in checkup.checks]
    amiss = [_advice(check) for check in checkup.checks if check.state != "ok"]
    below = "\n".join(["", *amiss]) if amiss else ""
    return View(("of", "check", "state", "found"), rows, below=below)


def _advice(check: Check) -> str:
    costs = textwrap.fill(f"{check.name}: {check.costs}", WIDTH, break_on_hyphens=False)
    return f"{costs}\n  {check.command}"
