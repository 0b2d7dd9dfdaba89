"""The newest Neo4j gives the same answers as the long-term one, which all other tests run on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.neo4j import server

ROOT = Path(__file__).parents[2]
NEWEST = "2026.08.1"
TESTS = (
    "tests/ingest/test_loading.py", "tests/ingest/test_store.py", "tests/ingest/test_dialects.py",
    "tests/queries/asking/test_plans.py", "tests/queries/asking/test_browser.py",
    "tests/queries/asking/test_statements.py", "tests/queries/doctor/test_doctor.py",
)  # fmt: skip


@pytest.mark.exhaustive
@pytest.mark.neo4j
def test_the_tests_of_stores_pass_on_the_newest_neo4j(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIB_GRAPH_NEO4J_VERSION", NEWEST)
    try:
        server.java()
        server.fetch_jars()
    except server.ServerError as error:
        pytest.skip(str(error))
    environment = {name: x for name, x in os.environ.items() if name != "NEO4J_TEST_URI"}
    only = ["-q", "-m", "neo4j and not exhaustive", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *only, *TESTS],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
