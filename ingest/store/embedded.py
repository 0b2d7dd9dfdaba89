"""The embedded store: one file, no server, read and written by kglite.

The file is always a whole graph. A reader loads it without a lock. A writer holds the lease of
the file, changes its own copy in memory, and replaces the file when all went well: there is no
log, and nothing in between for a crash to leave. Beside it lie the same runs as columns
(`ingest.store.columns`), which answer questions about a whole run without the graph.
"""

from __future__ import annotations

import logging
import re
import shlex
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import kglite

from ingest.schema import (
    CONSTRAINTS,
    FEATURE_INDEXES,
)
from ingest.store.closing import Closing
from ingest.store.columns import KeptRuns, Stamp
from ingest.store.keeping import Keeping
from ingest.store.kglite_texts import column_of, rows_of, run_text
from ingest.store.kglite_writing import Written
from ingest.store.protocol import (
    Bounds,
    Capabilities,
    Parameters,
    Row,
    Transaction,
    WriteResult,
)
from lib_graph.errors import StoreError, StoreUnavailableError
from lib_graph.support.texts import one_line

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EmbeddedStore"]

MAGIC = b"RGF"
# Wherever the words stand: in a string too.
READS_FILES = re.compile(r"\bload([\s`]|//[^\r\n]*(?=[\r\n]))+csv\b", re.IGNORECASE)
logger = logging.getLogger(__name__)
T = TypeVar("T")


class EmbeddedStore(Closing):
    """A graph in the file `path`. The file need not exist before the first write.

    Raises StoreUnavailableError if there is no folder for it, or if it is no such file.
    """

    def __init__(self, path: Path) -> None:
        kglite.set_query_warning_policy("silent")  # they are logged instead
        if path.name in ("", "..") or path.is_dir():
            if (path / "manifest.json").is_file():
                load = f"'lib-graph ingest {shlex.quote(str(path))} --store FILE' loads it into one"
                raise StoreUnavailableError(f"{str(path)!r} is a run folder, no store. {load}.")
            raise StoreUnavailableError(
                f"{str(path)!r} is a folder, and a store is a file. Name one, such as "
                f"{str(path / 'lib-graph.kgl')!r}."
            )
        self._path = path
        self._read: kglite.Session | None = None
        self._read_version: tuple[int, int, int] | None = None
        self._written: Written | None = None
        self._columns = Keeping(path)
        self._loading = threading.Lock()  # several threads may read
        if path.exists():
            _refuse_foreign_file(path)
        elif not path.parent.is_dir():
            raise StoreUnavailableError(
                f"{str(path)!r} cannot be a store: there is no folder {str(path.parent)!r}."
            )

    @property
    def name(self) -> str:
        """The path of the file."""
        return str(self._path)

    @property
    def capabilities(self) -> Capabilities:
        """What kglite can do."""
        return Capabilities("embedded", kglite.__version__, gds=None, atomic=True)

    def columns(self) -> KeptRuns | None:
        """Return the runs as columns, None inside `writing()` or where they are not up to date."""
        return None if self._written else self._columns.read()

    def keep_interactions(self, run: str, file: Path, state: Stamp) -> None:
        """Copy the file that a run was loaded from, for `columns`, unless it has changed."""
        with self.writing():
            if not self._columns.has(run):
                self._changing()
                self._columns.keep(run, file, state)

    def execute(self, cypher: str, parameters: Parameters | None = None) -> list[Row]:
        """Return the rows of a text that only reads."""
        return rows_of(self._view(cypher, parameters))

    def frame(
        self, cypher: str, parameters: Parameters | None = None, bounds: Bounds | None = None
    ) -> pd.DataFrame:
        """Return the rows of a text that only reads as a table."""
        import pandas as pd

        view = self._view(cypher, parameters, bounds)
        return pd.DataFrame({name: column_of(view.column(name)) for name in view.columns})

    def write(self, cypher: str, parameters: Parameters | None = None) -> WriteResult:
        """Run a user's text that may write."""
        with self.writing():
            self._columns.touch(None)
            view = self._changing().view(cypher, parameters)
            counters = {name: n for name, n in (view.stats or {}).items() if n}
            return WriteResult(rows_of(view), counters)

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in one transaction and return what it returns."""
        with self.writing():
            written = self._changing()
            try:
                return work(written)
            except BaseException:
                written.failed = True
                raise

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lease; replace the file at the end if the block succeeds.

        Raises StoreError if a transaction in the block failed.
        """
        if self._written is not None:
            yield
            return
        with self._errors():
            graph = kglite.open(str(self._path), durable="off")
        self._columns.begin()
        self._written = written = Written(graph, self._columns.touch)
        try:
            yield
            if written.failed:
                raise StoreError("A transaction failed, so nothing was written.")
            if written.changed:
                with self._errors():
                    graph.save()
                self._publish(written)
        finally:
            self._written = None
            _release(graph)

    def ensure_schema(self) -> None:
        """Create the constraints and indexes that are not there yet, once in `writing()`.

        Once, since folders of graphs then loaded faster (docs/benchmarks.md, kglite 0.21.2). Why is
        not known: in a minimal case asking again for an index that is there takes no longer.
        """
        with self.writing():
            written = self._changing()
            if written.has_schema:
                return
            written.has_schema = True
            for text in (*CONSTRAINTS, *FEATURE_INDEXES):  # it indexes no pair of a relationship's
                written.execute(text)

    def vacuum(self) -> None:
        """Write the file anew, without the places of what was deleted, and what follows from it."""
        with self.writing():
            self._changing().graph.vacuum()

    def size(self) -> int:
        """Return the bytes of the file and of its columns."""
        return self._path.stat().st_size + self._columns.size()

    def close(self) -> None:
        """Let go of the graph in memory."""
        self._read = None
        self._read_version = None

    def _publish(self, written: Written) -> None:
        """Let the columns follow the file; without them questions are only slower."""
        try:
            self._columns.publish(lambda text, values: written.view(text, values))
        except (OSError, TypeError, ValueError) as error:  # of types: only after a text of a user's
            reason = getattr(error, "strerror", None) or one_line(error)
            logger.warning("The columns beside %s were not written: %s.", self.name, reason)

    def _changing(self) -> Written:
        assert self._written is not None
        self._written.changed = True
        return self._written

    def _view(
        self, cypher: str, parameters: Parameters | None, bounds: Bounds | None = None
    ) -> kglite.ResultView:
        """Run a text that only reads: on the writer's copy inside `writing()`, else on the file."""
        if READS_FILES.search(cypher):
            raise StoreError(
                "This text reads a file with LOAD CSV, and only the store may be read. Give values "
                "with --param, or rows of a file with --write."
            )
        session = self._written.graph.freeze() if self._written else self._reader()
        return run_text(session.cypher, cypher, parameters, bounds)

    def _reader(self) -> kglite.Session:
        """Return the file as it is now; it is read again when another process has replaced it."""
        with self._errors():
            if not self._path.exists():
                raise StoreUnavailableError(
                    f"There is no store {self.name!r}. 'lib-graph ingest RUN --store "
                    f"{shlex.quote(self.name)}' makes one."
                )
            stat = self._path.stat()
            version = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
            with self._loading:
                if self._read is None or version != self._read_version:
                    graph = kglite.load(self.name)
                    graph.set_default_timeout(0)
                    self._read, self._read_version = graph.session(), version
                return self._read

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Say what failed with the file in our own words."""
        try:
            yield
        except kglite.WriterLeaseHeldError as error:
            raise StoreUnavailableError(
                f"The store {self.name!r} is being written by another process "
                f"(id {error.holder.get('pid')}). Wait until it is done and run this again."
            ) from error
        except (kglite.FileFormatError, kglite.FileError) as error:
            raise StoreUnavailableError(
                f"{self.name!r} cannot be read as a lib-graph store ({one_line(error)}). "
                "Put a copy of it back, or load its runs into another: 'lib-graph ingest RUN "
                "--store OTHER.kgl'."
            ) from error
        except (kglite.FileIoError, OSError) as error:
            raise StoreError(
                f"The store {self.name!r} cannot be used: {_reason(error)}. It is as it was before."
            ) from error
        except ValueError as error:
            raise StoreUnavailableError(
                f"The store {self.name!r} cannot be opened: {one_line(error)}"
            ) from error


def _refuse_foreign_file(path: Path) -> None:
    """Raise if what is there is not a kglite file; opening it would leave lock files beside it."""
    try:
        with path.open("rb") as file:
            foreign = file.read(len(MAGIC)) != MAGIC
    except OSError as error:
        raise StoreUnavailableError(f"{str(path)!r} cannot be read: {error.strerror}.") from error
    if foreign:
        raise StoreUnavailableError(
            f"{str(path)!r} is not a lib-graph store. Give another --store."
        )


def _release(graph: kglite.KnowledgeGraph) -> None:
    """Give the lease back without writing what was not saved: leave as if after an error."""
    graph.__exit__(StoreError, StoreError("discard"), None)


def _reason(error: BaseException) -> str:
    """Return what the system said, such as 'No space left on device'."""
    return one_line(error).removeprefix("File I/O error: ").partition(" (os error")[0]
