"""`lib-graph` in a process of its own, for tests of signals, limits and two at once."""

from __future__ import annotations

import os
import subprocess
import sys

__all__ = ["held", "started"]

# Progress that stops for good where so many steps of a stage are done, and says so.
HOLD = """
import sys, time
from contextlib import contextmanager
from lib_graph.support.progress import ConsoleProgress

@contextmanager
def stage(self, name, total):
    left = [{steps}]

    def advance(n):
        left[0] -= 1
        if not left[0]:
            print("held", file=sys.stderr, flush=True)
            while True:
                time.sleep(0.05)

    yield advance

ConsoleProgress.stage = stage
"""


def started(*arguments: str, before: str = "") -> subprocess.Popen[str]:
    """Return a process that runs `lib-graph ARGUMENTS` after some lines of Python."""
    program = f"{before}\nimport sys\nfrom queries.cli.main import main\nmain(sys.argv[1:])"
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def held(*arguments: str, steps: int) -> subprocess.Popen[str]:
    """Return a process that is in the middle of `lib-graph ARGUMENTS` and can only be ended.

    So many steps of a stage are done, however fast or slow the machine is.
    """
    process = started(*arguments, before=HOLD.format(steps=steps))
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        if line == "held\n":
            return process
        said.append(line)
    raise AssertionError(f"it ended before, with {process.wait()}: {''.join(said)}")
