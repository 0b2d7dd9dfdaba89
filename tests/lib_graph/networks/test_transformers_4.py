"""The oldest transformers that is supported: the tests of language models, run under it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

OLDEST = Path(sys.prefix) / "transformers-4.57"
TESTS = Path(__file__).parent
CHOSEN = "test_loading or logits_are_those or closed_form or stories260k"
UNDER_IT = """
import sys, pytest, transformers
assert transformers.__version__.startswith("4.57."), transformers.__version__
sys.exit(pytest.main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "cases", ["not exhaustive", pytest.param("exhaustive", marks=pytest.mark.exhaustive)]
)
def test_under_it(cases):
    if not OLDEST.is_dir():
        reason = f"No transformers 4.57 in {OLDEST}: 'make test' installs it there."
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    paths = [str(OLDEST), str(TESTS.parents[2])]
    files = [str(TESTS / f"test_{name}language_models.py") for name in ("loading_", "")]
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", CHOSEN, "-m", cases]
    done = subprocess.run(
        [sys.executable, "-c", UNDER_IT, *files, *options],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        cwd=TESTS.parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert " passed" in done.stdout
