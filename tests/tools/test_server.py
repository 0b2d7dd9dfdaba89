"""A server of the tests does not outlive them, even where they are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import subprocess, sys
from tools.neo4j.server import bind

sleep = [sys.executable, "-c", "import time; time.sleep(61.25)"]
server = subprocess.Popen([*sleep, "x" * 200, "--home-dir=/here"])
bind(server.pid, sys.argv[1])
print(server.pid, flush=True)
sys.stdin.read()
"""


def is_gone(process: int, within: float = 10.0) -> bool:
    end = time.monotonic() + within
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(
    ("mark", "ends"), [("--home-dir=/here", True), ("--home-dir=/another", False)]
)
def test_what_is_bound_ends_with_who_started_it(mark: str, ends: bool) -> None:
    """But not another process that has come to the same id; nor does a narrow terminal matter."""
    command = [sys.executable, "-c", PROGRAM, mark]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "80"},
    ) as starter:
        assert starter.stdout is not None
        server = int(starter.stdout.readline())
        starter.kill()
        starter.wait()
    try:
        assert is_gone(server, 10.0 if ends else 1.0) is ends
    finally:
        if not ends:
            os.kill(server, signal.SIGKILL)
