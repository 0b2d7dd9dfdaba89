"""The oldest transformers that is supported: the tests of language models, run under it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

OLDEST = Path(sys.prefix) / "transformers-4.57"
TESTS = Path(__file__).parent
CHOSEN = "logits_are_those or closed_form or stories260k"


@pytest.fixture
def environment():
    """The environment in which the oldest transformers is the one that is imported."""
    if not OLDEST.is_dir():
        reason = f"No transformers 4.57 in {OLDEST}: 'make test' installs it there."
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    paths = [str(OLDEST), str(TESTS.parents[2])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


def run(environment, *arguments):
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment, cwd=TESTS.parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_it_is_imported(environment):
    found = run(environment, "-c", "import transformers; print(transformers.__version__)")
    assert found.startswith("4.57.")


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["test_loading_language_models.py"],
        ["test_language_models.py", "-k", CHOSEN],
    ],
)
def test_under_it(environment, arguments):
    file, *others = arguments
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    said = run(environment, "-m", "pytest", str(TESTS / file), *options, *others)
    assert " passed" in said
