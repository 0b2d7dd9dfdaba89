"""How much memory a process has taken, whoever started it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HELD = 1_500_000_000
STARTED = """
import subprocess, sys
held = bytearray(%d)
held[::4096] = b"x" * len(held[::4096])
ask = "from lib_graph.support.memory import highest_bytes; print(highest_bytes())"
print(subprocess.check_output([sys.executable, "-c", ask], text=True))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs Linux's /proc")
def test_a_process_does_not_take_what_its_parent_took():
    found = int(subprocess.check_output([sys.executable, "-c", STARTED % HELD], text=True))
    assert 50_000_000 < found < HELD
