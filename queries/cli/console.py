"""`lib-graph` as a process of its own: it starts without collecting garbage, and leaves at once.

Neither is for `main`, which tests and notebooks call in processes that go on.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
from collections.abc import Callable

__all__ = ["ended_at_once", "run"]

COLLECTED_AFTER = 1_000_000  # objects; a small job makes 750,000, nearly all of them by importing


def run() -> None:
    """Run `lib-graph` with the arguments of this process, and end the process."""
    ended_at_once(_main)


def ended_at_once(main: Callable[[], object]) -> None:
    """Run `main` and end the process with its exit code, without taking the interpreter apart.

    That takes as long as a small job, and only gives back memory which the system takes anyway.
    All that is to run when a process ends does run: threads are waited for, then comes what is
    registered with atexit, as temporary folders and logging are. Where something was registered
    before, as by coverage, the interpreter ends as usual. Ctrl-C is too late then to change what
    was done, and is ignored.
    """
    gc.set_threshold(COLLECTED_AFTER)
    end = _End()
    if not atexit._ncallbacks():
        atexit.register(end.leave)  # the first to be registered is the last to run
    try:
        main()
        end.code = 0
    except SystemExit as error:
        end.code = error.code if isinstance(error.code, int) else None
        raise
    except KeyboardInterrupt:  # before it is heeded, or after
        end.code = 130
        sys.exit(end.code)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _main() -> None:
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # it was closed before the start
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
    from queries.cli.main import main

    main(own_process=True)


class _End:
    """How a process ends: with `code`, or as Python says where there is none."""

    code: int | None = None

    def leave(self) -> None:
        """End the process, all that it has said written."""
        if self.code is None:
            return
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):  # nobody listens
                self.code = self.code or 1
        os._exit(self.code)
