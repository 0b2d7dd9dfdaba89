"""What takes long: a command of lib-graph in a process of its own, watched and cancellable.

A job is the command itself, so it ends in the run folder as the command does; `finish` then brings
what it found into the store. Names of files are chosen here.
"""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lib_graph.errors import ConflictError, LibGraphError, NotFoundError

__all__ = ["Errand", "Jobs", "Work"]

MOST = 2  # at once
REMEMBERED = 50
GRACE = 5.0  # seconds in which what is cancelled may end by itself
State = Literal["running", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class Work:
    """A command, what it is for, and what is done with what it leaves; that is the result."""

    kind: str
    run: str
    arguments: tuple[str, ...]
    finish: Callable[[], Any] = field(repr=False)
    clean: Callable[[], None] = field(repr=False, default=lambda: None)


class Errand:
    """A command that runs, or ran."""

    def __init__(self, work: Work) -> None:
        self.id = secrets.token_hex(6)
        self.state: State = "running"
        self.lines: list[str] = []
        self.result: Any = None
        self._work = work
        self._cancelled = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lib_graph", *work.arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            errors="replace",
        )  # fmt: skip
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def told(self) -> dict[str, Any]:
        """Return what is known of it: its last line is how far it is, or what went wrong."""
        work = self._work
        shown = {"id": self.id, "kind": work.kind, "run": work.run, "state": self.state}
        return {**shown, "lines": self.lines[-20:], "result": self.result}

    def cancel(self) -> None:
        """End it; what it has finished stays, as after Ctrl-C."""
        if self.state != "running":
            return
        self._cancelled = True
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._thread.join(GRACE)

    def _watch(self) -> None:
        """Read what the command says until it ends, and bring in what it found."""
        assert self._process.stderr is not None
        try:
            for line in self._process.stderr:
                if line.strip():
                    self.lines.append(line.strip())
            code = self._process.wait()
            if code == 0 and not self._cancelled:
                self.result = self._work.finish()
                self.state = "done"
            else:
                self.state = "cancelled" if self._cancelled else "failed"
                if code < 0 and not self._cancelled:
                    self.lines.append(f"The process of this job was ended by signal {-code}.")
        except LibGraphError as error:
            self.lines.append(f"Error: {' '.join(str(error).split())}")
            self.state = "failed"
        finally:
            if self.state == "running":  # something that nobody foresaw: it must not stay so
                self.state = "failed"
            self._process.stderr.close()
            self._work.clean()


class Jobs:
    """The jobs of a service, the newest last."""

    def __init__(self) -> None:
        self._jobs: dict[str, Errand] = {}
        self._lock = threading.Lock()

    def start(self, make: Callable[[], Work]) -> Errand:
        """Return a job that runs; `make` is called if it may.

        Raises ConflictError while so many run that another would only slow them.
        """
        with self._lock:
            running = [job for job in self._jobs.values() if job.state == "running"]
            if len(running) >= MOST:
                raise ConflictError(f"{MOST} jobs run already. Cancel one, or wait until it ends.")
            job = Errand(make())
            self._jobs[job.id] = job
            ended = [name for name, each in self._jobs.items() if each.state != "running"]
            for old in ended[: max(len(self._jobs) - REMEMBERED, 0)]:
                del self._jobs[old]
            return job

    def find(self, name: str) -> Errand:
        """Return a job; raise NotFoundError if there is none of this id."""
        if name not in self._jobs:
            raise NotFoundError("job", name, self._jobs, "See them at /api/v1/jobs.")
        return self._jobs[name]

    def all(self) -> Sequence[Errand]:
        """Return all that are remembered."""
        return tuple(self._jobs.values())

    def close(self) -> None:
        """End those that run."""
        for job in self.all():
            job.cancel()
