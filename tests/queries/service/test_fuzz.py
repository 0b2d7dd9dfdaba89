"""No request, however malformed, gives an internal error: schemathesis over the OpenAPI."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from ingest.store import open_store
from queries.asking.library import all_queries
from queries.service.app import API, make_api
from queries.service.held import Served
from tests.loaded import load_once
from tests.synthetic import random_run

PLACES = ("feature", "source", "target", "layer")
NAMES = ["layer.0", "layer/1", "layer/1/2", "layer.0/0", "layer.2/1", "layer/1/99", "x", "", "\x00"]
QUERIES = [each.name for each in all_queries()]


def holding(asked: Counter[str], count: int, cases: st.SearchStrategy) -> Callable[[], None]:
    """Return a test of so many requests; in some, what is random becomes a name that is there."""

    @settings(
        max_examples=count, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=cases, named=st.booleans(), name=st.sampled_from(NAMES), k=st.integers(0, 99))
    def hold(case: schemathesis.Case, named: bool, name: str, k: int) -> None:
        if named:
            known = {key: name for key in case.query if key in PLACES}
            case.query.update({**known, **({"run": ""} if "run" in case.query else {})})
            if "name" in case.path_parameters:
                case.path_parameters["name"] = QUERIES[k % len(QUERIES)]
        response = case.call()
        asked[case.operation.label] += 1
        assert response.status_code < 500, (case.as_curl_command(), response.text)
        if response.status_code >= 400 and case.method != "HEAD":
            assert set(response.json()) == {"error", "kind"}

    return hold


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, pytest.param(200, marks=pytest.mark.exhaustive)])
def test_nothing_gives_an_internal_error(tmp_path: Path, count: int) -> None:
    """Ask each operation as its schema says, and as it does not: so many requests of each kind."""
    with open_store(tmp_path / "graph.kgl") as store:
        load_once(store, random_run(tmp_path / "run", (4, 3, 3), seed=2))
    asked: Counter[str] = Counter()
    with Served(str(tmp_path / "graph.kgl")) as served:
        schema = schemathesis.openapi.from_asgi(f"{API}/openapi.json", make_api(served))
        operations = [found.ok() for found in schema.get_all_operations()]
        for operation in operations:
            for mode in GenerationMode:
                cases = operation.as_strategy(generation_mode=mode)
                with suppress(Unsatisfiable):  # nothing is wrong where nothing is asked for
                    holding(asked, count, cases)()
    assert set(asked) == {operation.label for operation in operations}
    assert sum(asked.values()) >= count * len(operations)
