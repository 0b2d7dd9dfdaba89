from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import queries
from ingest.store import GraphStore
from lib_graph.run import Run
from queries.service.app import make_service
from queries.service.guard import Door
from queries.service.held import Served
from tests.loaded import load_once
from tests.synthetic import random_run

HERE = "http://127.0.0.1:8765"


@dataclass(frozen=True)
class Api:
    """A service over a store, asked as its own page asks."""

    client: TestClient
    served: Served

    def ask(self, path: str, **parameters: Any) -> Any:
        """Return the answer to a request that has to be answered."""
        reply = self.client.get(f"/api/v1{path}", params=parameters)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def data(self, path: str, **parameters: Any) -> Any:
        return self.ask(path, **parameters)["data"]

    def failure(self, path: str, **parameters: Any) -> tuple[int, str]:
        reply = self.client.get(f"/api/v1{path}", params=parameters)
        return reply.status_code, reply.json()["error"]


def asked(served: Served, door: Door = Door("127.0.0.1", 8765)) -> TestClient:  # noqa: B008
    return TestClient(make_service(served, door), base_url=HERE)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return random_run(tmp_path / "my-run", (6, 5, 4, 3), seed=5)


@pytest.fixture
def api(store: GraphStore, store_target: str, run: Run, tmp_path: Path) -> Iterator[Api]:
    load_once(store, run)
    with Served(store_target, None, [tmp_path]) as served:
        yield Api(asked(served), served)


@pytest.fixture
def graph(api: Api, store: GraphStore) -> queries.Graph:
    return queries.open_graph(store)
