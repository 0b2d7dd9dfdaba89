"""What a service holds while it runs: the store, the run folders at hand, what was computed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from ingest.store import open_store
from ingest.store.closing import Closing
from lib_graph.errors import LibGraphError, RunError
from lib_graph.run import Run
from queries.asking.runs import RunInfo, choose_run, list_runs
from queries.circuits.overview import Ranked
from queries.graph import Graph
from queries.modules.communities import Communities
from queries.service.jobs import Jobs

__all__ = ["Held", "Served"]

KEPT = 16  # answers that take long to find, such as modules
LAST_S = 5.0  # that closing waits for what nobody has asked for yet
T = TypeVar("T")


class Held:
    """The answers that were asked for last; each is found once, whoever asks meanwhile."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._answers: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()
        self._finding: dict[Hashable, Future[Any]] = {}

    def get(self, key: Hashable, find: Callable[[], T]) -> T:
        """Return the answer of this key, found by `find` if it is not held.

        >>> held = Held(2)
        >>> held.get("a", lambda: 1), held.get("a", lambda: 2)
        (1, 1)
        """
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                known: T = self._answers[key]
                return known
            finding = self._finding.get(key)
            own: Future[T] = Future()
            if finding is None:
                self._finding[key] = own
        return self._found(key, find, own) if finding is None else finding.result()

    def _found(self, key: Hashable, find: Callable[[], T], own: Future[T]) -> T:
        """Find an answer, tell it to those who wait, and hold it if nothing changed meanwhile."""
        try:
            own.set_result(find())
        except BaseException as error:
            own.set_exception(error)
        with self._lock:
            if self._finding.get(key) is own:  # else what it was found in has changed
                del self._finding[key]
                if own.exception() is None:
                    self._answers[key] = own.result()
                    while len(self._answers) > self._size:
                        self._answers.popitem(last=False)
        return own.result()

    def forget(self) -> None:
        """Let go of all answers: what they were found in has changed."""
        with self._lock:
            self._answers.clear()
            self._finding.clear()


class Served(Closing):
    """A store that is served: to read, to write, and what was found in it.

    Reading is shared by all requests; who writes has the store to itself, in a transaction of its
    own, and what is read meanwhile is what was there before. `folders` are where run folders may
    be: these folders themselves, and those in them. Raises what `open_store` and `list_runs` do.
    """

    def __init__(
        self, store: str | None = None, run: str | None = None, folders: Sequence[Path] = ()
    ) -> None:
        self._target = store
        self._folders = tuple(folders)
        self._store = open_store(store)
        self._run = None if run is None else choose_run(list_runs(self._store), run).id
        list_runs(self._store)
        self._writing = threading.Lock()
        self._preparing: threading.Thread | None = None
        self.jobs = Jobs()
        self._held = Held(KEPT)
        self._opened: dict[Path, tuple[int, Run]] = {}
        """folder → when its manifest was written, and the run"""

    @property
    def name(self) -> str:
        """What a person calls the store."""
        return self._store.name

    def close(self) -> None:
        """Let go of the store, and end the jobs that run; what `prepare` finds, after LAST_S."""
        self.jobs.close()
        if self._preparing is not None:
            self._preparing.join(LAST_S)
        self._store.close()

    def graph(self, run: str | None = None) -> Graph:
        """Return a run as the store has it now, by default the one that the service was given.

        Raises NotFoundError if there is none, UsageError if several fit.
        """
        return Graph(self._store, choose_run(list_runs(self._store), run or self._run))

    def chosen(self) -> RunInfo:
        """Return the run that is shown at first: the service's own, or another where it is gone.

        Raises NotFoundError if there is none, UsageError if all are of one input.
        """
        runs = list_runs(self._store)
        own = next((run for run in runs if run.id == self._run), None)
        return own or choose_run(runs)

    def runs(self) -> list[RunInfo]:
        """Return the complete runs, the newest first."""
        return list_runs(self._store)

    @contextmanager
    def writing(self, run: str | None = None) -> Iterator[Graph]:
        """Yield a run to write to; one request at a time."""
        with self._writing, open_store(self._target) as store:
            try:
                yield Graph(store, choose_run(list_runs(store), run or self._run))
            finally:
                self._held.forget()

    def once(self, graph: Graph, *key: Hashable, find: Callable[[], T]) -> T:
        """Return the answer of this key about a run, found once for every state of it."""
        return self._held.get((*key, *_load(graph)), find)

    def ranked(self, graph: Graph) -> Ranked:
        """Return the first interactions of a run."""
        return self.once(graph, "ranked", find=graph.ranked)

    def prepare(self) -> threading.Thread:
        """Find what the page asks first, while a browser starts; return who does."""

        def find() -> None:
            with suppress(LibGraphError):  # whoever asks is told
                self.ranked(self.graph(self.chosen().id))

        self._preparing = threading.Thread(target=find, daemon=True)
        self._preparing.start()
        return self._preparing

    def communities(self, graph: Graph, **settings: Any) -> Communities:
        """Return the modules of a run by some settings, as the store has it now."""
        key = ("communities", *sorted(settings.items()), _followed(graph))
        return self.once(graph, *key, find=lambda: graph.communities(**settings))

    def folder(self, run: RunInfo) -> Run | None:
        """Return the folder of a run, or None where none of those at hand is it.

        A run over another's features (a trace) has a folder of its own.
        """
        for manifest in self._manifests():
            opened = self._open(manifest)
            if opened is not None and opened.id == run.id:
                return opened
        return None

    def folder_of_features(self, run: RunInfo) -> Run | None:
        """Return the folder with what is known of a run's features: a trace has those of its base.

        None where it is not at hand.
        """
        wanted = run.base or run.id
        found = next((each for each in self.runs() if each.id == wanted), None)
        return None if found is None else self.folder(found)

    def _manifests(self) -> Iterator[Path]:
        for folder in self._folders:
            yield from sorted([*folder.glob("manifest.json"), *folder.glob("*/manifest.json")])

    def _open(self, manifest: Path) -> Run | None:
        folder = manifest.parent
        try:
            written = manifest.stat().st_mtime_ns
            known = self._opened.get(folder)
            if known is None or known[0] != written:
                known = self._opened[folder] = written, Run.open(folder)
        except (OSError, RunError):
            self._opened.pop(folder, None)
            return None  # of another program, or damaged: 'lib-graph ingest' says what is wrong
        return known[1]


def _load(graph: Graph) -> tuple[str, str | None, tuple[int, ...]]:
    """Return what tells one state of a run from another: when it was loaded, and of an embedded
    store the state of its file, which another process may label.
    """
    kept = graph.store.columns()
    return graph.run.id, graph.run.loaded, () if kept is None else tuple(kept.stamp)


def _followed(graph: Graph) -> Hashable:
    """Return what else modules follow from, where no columns tell when it changes: the labels, and
    what ablations found, which 'log' weights look at.
    """
    if graph.store.columns() is not None:
        return None
    found = graph.ablations()
    scores = None if found is None else found.frame.to_json()
    return hash((*graph.features().frame["label"].fillna(""), scores))
