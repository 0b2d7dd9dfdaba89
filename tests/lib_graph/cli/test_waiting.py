"""What a verb says before it begins: that torch is imported, where that takes long."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SAID = "Importing torch: it is large, and slow the first time.\n"
VERB = """
from lib_graph.cli import commands
commands.LONG = 0.3
@commands.command()
def verb():
    import {module}
verb.main({arguments}, standalone_mode=False)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "sleeps", "arguments", "said"),
    [("torch", 1.0, [], SAID), ("torch", 0.0, [], ""), ("torch", 1.0, ["-q"], ""),
     ("other", 1.0, [], "")],
)  # fmt: skip
def test_an_import_that_takes_long_is_explained(
    tmp_path: Path, module: str, sleeps: float, arguments: list[str], said: str
) -> None:
    (tmp_path / f"{module}.py").write_text(f"import time\ntime.sleep({sleeps})")
    found = subprocess.run(
        [sys.executable, "-c", VERB.format(module=module, arguments=arguments)],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stderr == said
