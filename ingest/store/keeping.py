"""Write the columns of an embedded store: see `ingest.store.columns`."""

from __future__ import annotations

import json
import logging
import shutil
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.schema import FEATURE, NODE, RUN
from ingest.store.columns import FORMAT, INDEX, SAID, KeptRuns, Stamp, read_kept, stamp
from ingest.store.kglite_texts import rows_of
from ingest.store.numbers import NEEDED, numbered_nodes, write_numbered
from ingest.store.protocol import Row
from lib_graph.support.files import whole_file

if TYPE_CHECKING:
    import kglite
    import pyarrow as pa

__all__ = ["Keeping"]

CHANGED = (
    "The folder of run %s was written anew while it was loaded, so its columns are left out, and "
    "questions about it are slower. When %s is done: lib-graph ingest %s"
)
logger = logging.getLogger(__name__)
View = Callable[[str, Mapping[str, Any]], "kglite.ResultView"]
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
NOTES = "MATCH (r:Run {id: $run}) RETURN r.manifest AS manifest, r.ablations AS ablations"
SMALLEST = (
    "MATCH (l:Layer {run: $run}) WHERE l.smallest_kept IS NOT NULL "
    "RETURN l.index AS layer, l.smallest_kept AS smallest_kept ORDER BY layer"
)
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
        self._numbered = None if before is None else before.numbered
        self._new: dict[str, pa.Table] = {}
        self._given: dict[str, tuple[Path, Stamp]] = {}
        self._touched: set[str] | None = set()
        self._changed: set[str] | None = set()

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

    def touch(self, run: str | None, *, interactions: bool = True) -> None:
        """Forget what is kept of a run, or (None) of all: it may no longer be the same.

        That is its nodes, and unless it is known that they stay as they are its interactions.
        """
        self._changed = _with(self._changed, run)
        if interactions:
            self._touched = _with(self._touched, run)

    def publish(self, view: View) -> None:
        """Write the columns of the graph that `view` asks, now that it is in the file.

        Only of runs that have changed; what is kept of the others stays. A reader finds the old
        ones until the last step, and those say that they are not of this file. Raises OSError where
        there is no room.
        """
        self._folder.mkdir(exist_ok=True)
        runs = rows_of(view(RUNS, {}))
        files = {
            str(run["id"]): {
                **(self._unchanged(str(run["id"])) or self._write_nodes(view, run)),
                "interactions": self._interactions(str(run["id"])),
            }
            for run in runs
            if run["status"] == "complete"
        }
        prompts = [str(run["id"]) for run in runs if run["prompt"] is not None]
        numbered = self._write_numbered([run for run in prompts if run in files], files)
        index = {"format": FORMAT, "stamp": stamp(self._file), "runs": runs, "files": files,
                 "numbered": numbered}  # fmt: skip
        with whole_file(self._folder / INDEX) as temporary:
            temporary.write_text(json.dumps(index), encoding="utf-8")
        known = {INDEX, numbered}
        known |= {name for each in files.values() for name in each.values() if _is(name)}
        for file in self._folder.iterdir():
            if file.name not in known:
                file.unlink(missing_ok=True)

    def _unchanged(self, run: str) -> dict[str, Any] | None:
        """Return what was kept of a run's nodes, if nothing has changed since."""
        if self._changed is None or run in self._changed or run not in self._before:
            return None
        kept = {name: self._before[run][name] for name in ("layers", "features")}
        return kept if (self._folder / kept["features"]).exists() else None

    def _write_nodes(self, view: View, run: Row) -> dict[str, Any]:
        layers = rows_of(view(LAYERS, {"run": run["id"]}))
        return {"layers": layers, "features": self._write_features(view, run)}

    def _write_features(self, view: View, run: Row) -> str:
        """Write the features of a run, and return the name of the file."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = FEATURE if run["prompt"] is None else NODE
        rows = view(FEATURES[table], {"run": run["id"]})
        schema = pa.schema(
            (name, pa.type_for_alias(TYPES.get(name, "string"))) for name in table.properties
        )
        schema = schema.with_metadata({SAID: json.dumps(_said(view, str(run["id"])))})
        features = pa.Table.from_pydict({name: rows.column(name) for name in schema.names}, schema)
        if table is NODE:
            self._new[str(run["id"])] = numbered_nodes(str(run["id"]), features)
        path = self._folder / f"features-{uuid.uuid4().hex}.parquet"
        with whole_file(path) as temporary:
            pq.write_table(features, temporary)
        return path.name

    def _write_numbered(
        self, prompts: list[str], files: Mapping[str, Mapping[str, Any]]
    ) -> str | None:
        """Write which nodes have which number, and return the name of the file, None for none."""
        import pyarrow.parquet as pq

        if not prompts:
            return None
        if self._numbered is None:  # kept by a lib-graph that had no such table
            for run in set(prompts) - set(self._new):
                kept = pq.read_table(self._folder / files[run]["features"], columns=NEEDED)
                self._new[run] = numbered_nodes(run, kept)
        new = {run: self._new[run] for run in prompts if run in self._new}
        before = None if self._numbered is None else self._folder / self._numbered
        path = self._folder / f"numbered-{uuid.uuid4().hex}.parquet"
        write_numbered(path, before, new, [run for run in prompts if run not in new])
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


def _said(view: View, run: str) -> dict[str, Any]:
    """Return `Columns.said` of a run."""
    (notes,) = rows_of(view(NOTES, {"run": run}))
    smallest = rows_of(view(SMALLEST, {"run": run}))
    return {**notes, "smallest_kept": [list(row.values()) for row in smallest]}


def _with(runs: set[str] | None, run: str | None) -> set[str] | None:
    """Return a set of runs with one more; None is all of them."""
    return None if run is None or runs is None else {*runs, run}


def _is(name: object) -> bool:
    return isinstance(name, str)
