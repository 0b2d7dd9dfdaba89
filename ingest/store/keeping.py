"""Write the columns of an embedded store: see `ingest.store.columns`."""

from __future__ import annotations

import json
import logging
import shutil
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ingest.schema import FEATURE, NODE, RUN
from ingest.store.columns import FORMAT, INDEX, KeptRuns, Stamp, read_kept, stamp
from ingest.store.protocol import Row
from lib_graph.support.files import whole_file

__all__ = ["Keeping"]

CHANGED = (
    "The folder of run %s was written anew while it was loaded, so its columns are left out, and "
    "questions about it are slower. When %s is done: lib-graph ingest %s"
)
logger = logging.getLogger(__name__)
Execute = Callable[[str, Mapping[str, Any]], list[Row]]
TYPES = {
    **dict.fromkeys(("layer_index", "index", "depth", "position", "number"), "int64"),
    **dict.fromkeys(("importance", "variance", "cost_from_inputs", "cost_to_outputs"), "float64"),
    **dict.fromkeys(("activation", "influence", "probability"), "float64"),
}


def _all(label: str, properties: Iterable[str], match: str, order: str) -> str:
    returned = ", ".join(f"n.{name} AS {name}" for name in properties)
    return f"MATCH (n:{label}{match}) RETURN {returned} ORDER BY {order}"


RUN_ROWS = [name for name in RUN.properties if not name.startswith("strength_")]
RUNS = _all("Run", (n for n in RUN_ROWS if n != "manifest"), "", "loaded DESC, id DESC")
LAYERS = _all("Layer", ("index", "name", "width", "features"), " {run: $run}", "index")
FEATURES = {
    table: _all("Feature", table.properties, " {run: $run}", "layer_index, index")
    for table in (FEATURE, NODE)
}


class Keeping:
    """The folder of columns beside a store's file, for the one that writes both.

    After `begin`, `keep` says which file has the interactions that a run has in the graph, `touch`
    that nobody knows any longer which has; `publish` then makes the folder follow the file.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._folder = file.with_name(file.name + ".columns")
        self._state: tuple[Stamp, Stamp] | None = None
        self._kept: KeptRuns | None = None
        self.begin()

    def size(self) -> int:
        """Return the bytes of all that is in the folder."""
        files = self._folder.iterdir() if self._folder.is_dir() else ()
        return sum(file.stat().st_size for file in files)

    def begin(self) -> None:
        """Note what is kept of the file as it is, before a writer changes it."""
        before = self.read()
        self._before = {} if before is None else before.files
        self._given: dict[str, tuple[Path, Stamp]] = {}
        self._touched: set[str] | None = set()

    def read(self) -> KeptRuns | None:
        """Return the columns, or None where they are not of the file as it is now."""
        try:
            state = stamp(self._file), stamp(self._folder / INDEX)
        except OSError:
            return None
        if self._state != state:
            self._state, self._kept = state, read_kept(self._folder)
        return self._kept if self._kept is not None and self._kept.stamp == state[0] else None

    def has(self, run: str) -> bool:
        """Return whether the interactions of a run are kept, and are still those in the graph."""
        return run in self._given or self._known(run) is not None

    def keep(self, run: str, file: Path, state: Stamp) -> None:
        """Take a copy of a run folder's interactions, which the run had in that state of them."""
        self._given[run] = file, state

    def touch(self, run: str | None) -> None:
        """Forget the interactions of a run, or (None) of all: they may no longer be the same."""
        self._touched = None if run is None or self._touched is None else {*self._touched, run}

    def publish(self, execute: Execute) -> None:
        """Write the columns of the graph that `execute` asks, now that it is in the file.

        A reader finds the old ones until the last step, and those say that they are not of this
        file. Raises OSError where there is no room.
        """
        self._folder.mkdir(exist_ok=True)
        runs = execute(RUNS, {})
        files = {
            str(run["id"]): {
                "layers": execute(LAYERS, {"run": run["id"]}),
                "features": self._write_features(execute, run),
                "interactions": self._interactions(str(run["id"])),
            }
            for run in runs
            if run["status"] == "complete"
        }
        index = {"format": FORMAT, "stamp": stamp(self._file), "runs": runs, "files": files}
        with whole_file(self._folder / INDEX) as temporary:
            temporary.write_text(json.dumps(index), encoding="utf-8")
        known = {INDEX, *(name for each in files.values() for name in each.values() if _is(name))}
        for file in self._folder.iterdir():
            if file.name not in known:
                file.unlink(missing_ok=True)

    def _write_features(self, execute: Execute, run: Row) -> str:
        """Write the features of a run, and return the name of the file."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = FEATURE if run["prompt"] is None else NODE
        rows = execute(FEATURES[table], {"run": run["id"]})
        schema = pa.schema(
            (name, pa.type_for_alias(TYPES.get(name, "string"))) for name in table.properties
        )
        path = self._folder / f"features-{uuid.uuid4().hex}.parquet"
        with whole_file(path) as temporary:
            pq.write_table(pa.Table.from_pylist(rows, schema), temporary)
        return path.name

    def _interactions(self, run: str) -> str | None:
        """Return the name of the file with a run's interactions, None where there is none."""
        if run not in self._given:
            return self._known(run)
        path = self._folder / f"interactions-{uuid.uuid4().hex}.parquet"
        file, state = self._given[run]
        with whole_file(path) as temporary:
            shutil.copyfile(file, temporary)
        if stamp(file) == state:
            return path.name
        path.unlink()
        logger.warning(CHANGED, run, file.parent, file.parent)
        return None

    def _known(self, run: str) -> str | None:
        """Return the name of the file that was kept before, if nothing has changed since."""
        if self._touched is None or run in self._touched or run not in self._before:
            return None
        name: str | None = self._before[run]["interactions"]
        return name if name is not None and (self._folder / name).exists() else None


def _is(name: object) -> bool:
    return isinstance(name, str)
