"""An embedded store: its file, the columns beside it, who writes it, and the room on its disk."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from ingest.store.lease import writer_of
from lib_graph.support.texts import counted
from queries.asking.runs import RunInfo
from queries.doctor.checks import Asking, Check

__all__ = ["check_file"]


def check_file(asking: Asking, runs: Sequence[RunInfo]) -> list[Check]:
    """Return what there is to say of the file that a store is, which can be read."""
    file = Path(asking.store.name)
    columns = file.with_name(f"{file.name}.columns")
    size = file.stat().st_size
    beside = sum(each.stat().st_size for each in columns.glob("*"))
    return [
        _size(size, asking.store.capabilities.version),
        _columns(asking, runs, beside),
        _lease(file),
        _disk(file, size + beside),
    ]


def _size(size: int, version: str) -> Check:
    from lib_graph.support.memory import format_bytes

    return Check("store", "file", f"{format_bytes(size)}, kglite {version}")


def _columns(asking: Asking, runs: Sequence[RunInfo], size: int) -> Check:
    from lib_graph.support.memory import format_bytes

    kept = asking.store.columns()
    whole = [run.id for run in runs if run.status == "complete"]
    without = [run for run in whole if kept is None or kept.run(run) is None]
    if not without:
        return Check("store", "columns", f"of all runs, {format_bytes(size)}")
    found = f"not there for {len(without)} of {counted(len(whole), 'run')}"
    return Check(
        "store", "columns", found, "lacking",
        "Questions about these whole runs load the graph first, and take longer.",
        f"lib-graph ingest RUN --store {shlex.quote(asking.store.name)}, for {', '.join(without)}",
    )  # fmt: skip


def _lease(file: Path) -> Check:
    writer = writer_of(file)
    if writer is None:
        return Check("store", "writer", "nobody writes")
    return Check(
        "store", "writer", f"process {writer} writes", "lacking",
        "Until it is done others cannot write, and what they read is as it was before.",
        f"ps -p {writer}",
    )  # fmt: skip


def _disk(file: Path, size: int) -> Check:
    from lib_graph.support.memory import format_bytes

    free = shutil.disk_usage(file.resolve().parent).free
    found = f"{format_bytes(free)} free"
    if free >= size:
        return Check("store", "disk", found)
    return Check(
        "store", "disk", found, "wrong",
        f"The file is written anew for every change: {format_bytes(size)} may be needed beside it.",
        "Free some space, or move the store.",
    )  # fmt: skip
