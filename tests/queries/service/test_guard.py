"""Who may ask the service, and what its answers allow a page to do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

import ingest
from queries.service.app import make_service
from queries.service.failing import handle_errors
from queries.service.guard import LARGEST, POLICY, Door
from queries.service.held import Served
from queries.service.saved_page import PAGE
from tests.queries.service.conftest import HERE, asked
from tests.synthetic import random_run

LABEL = {"feature": "layer/1/2", "label": "of this page"}
FOREIGN = LABEL | {"label": "of another page"}
OPEN = Door("0.0.0.0", 8765, "secret-token")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("guarded")
    file = folder / "graph.kgl"
    ingest.load(random_run(folder / "run", (3, 3, 2), seed=1), str(file))
    with Served(str(file)) as found:
        yield found


@pytest.fixture(scope="module")
def client(served: Served) -> TestClient:
    return asked(served)


@pytest.mark.parametrize("host", ["evil.example:8765", "127.0.0.1:80", "127.0.0.1", "", "[::1"])
def test_a_name_that_is_not_this_service_is_refused(client, host):
    reply = client.get("/api/v1/runs", headers={"host": host})
    assert reply.status_code == 421
    assert "data" not in reply.json()


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "[::1]:8765"])
def test_its_own_names_are_taken(client, host):
    assert client.get("/api/v1/runs", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("origin", [
    "http://evil.example", "null", "https://127.0.0.1:8765", f"{HERE}.evil.example", f"{HERE}0",
])  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS"])
def test_a_foreign_page_neither_reads_nor_writes(client, served, origin, method):
    reply = client.request(
        method, "/api/v1/labels", headers={"origin": origin},
        json=FOREIGN if method == "PUT" else None,
    )  # fmt: skip
    assert reply.status_code == 403
    assert "access-control-allow-origin" not in reply.headers
    assert FOREIGN["label"] not in set(served.graph().features().frame["label"])


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_browser_that_says_the_page_is_foreign_does_not_write(client, site):
    headers = {"sec-fetch-site": site}
    assert client.put("/api/v1/labels", json=FOREIGN, headers=headers).status_code == 403
    assert client.get("/api/v1/runs", headers=headers).status_code == 403
    assert client.get("/", headers=headers).status_code == 200  # a link leads here


def test_its_own_page_writes(client):
    assert client.put("/api/v1/labels", json=LABEL, headers={"origin": HERE}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/api/v1/runs", "/api/v1/openapi.json", "/nothing"])
def test_a_page_can_load_nothing_from_elsewhere(client, path):
    reply = client.get(path)
    assert reply.headers["content-security-policy"] == POLICY
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in POLICY
    assert "http" not in POLICY
    assert "unsafe" not in POLICY


def test_no_file_of_the_page_names_a_foreign_host():
    texts = [path.read_text(encoding="utf-8") for path in PAGE.rglob("*") if path.is_file()]
    assert texts
    allowed = "http://www.w3.org/"  # the name of SVG, which nobody fetches
    assert not [text for text in texts if "//" in text and "http" in text.replace(allowed, "")]


def test_others_need_the_token(served):
    client = asked(served, OPEN)
    assert client.get("/api/v1/runs").status_code == 401
    assert client.get("/").status_code == 401
    assert client.get("/api/v1/runs", params={"token": OPEN.token}).status_code == 401
    assert client.post("/", params={"token": OPEN.token}).status_code == 401
    for wrong in ("Bearer", "Bearer wrong", f"Bearer {OPEN.token}x"):
        assert client.get("/api/v1/runs", headers={"authorization": wrong}).status_code == 401
    right = {"authorization": f"Bearer {OPEN.token}"}
    assert client.get("/api/v1/runs", headers=right).status_code == 200


def test_the_address_with_the_token_opens_the_page(served):
    client = asked(served, OPEN)
    reply = client.get("/", params={"token": OPEN.token}, follow_redirects=False)
    assert (reply.status_code, reply.headers["location"]) == (303, "/")
    cookie = reply.headers["set-cookie"]
    assert cookie.startswith(f"lib_graph_token_{OPEN.port}={OPEN.token};")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert client.get("/api/v1/runs").status_code == 200
    mixed = {"cookie": f"another's; {cookie.partition(';')[0]}"}
    assert asked(served, OPEN).get("/api/v1/runs", headers=mixed).status_code == 200


def test_a_name_that_was_made_to_point_here_is_refused_with_any_address(served):
    client = asked(served, OPEN)
    right = {"authorization": f"Bearer {OPEN.token}"}
    evil = client.get("/api/v1/runs", headers={**right, "host": "evil.example:8765"})
    assert evil.status_code == 421
    reply = client.get("/api/v1/runs", headers={**right, "host": "192.0.2.7:8765"})
    assert reply.status_code == 200
    reply = client.get("/api/v1/runs", headers={**right, "host": "192.0.2.7:8766"})
    assert reply.status_code == 421


def test_too_much_at_once_is_refused(client):
    reply = client.post("/api/v1/cypher", json={"text": "x" * (5 << 20)})
    assert (reply.status_code, reply.json()["kind"]) == (413, "Refused")
    for size, status in ((LARGEST, 422), (LARGEST + 1, 413)):
        reply = client.post("/api/v1/cypher", content=b" " * size)
        assert reply.status_code == status

    def chunks():
        yield b"{}"

    assert client.post("/api/v1/cypher", content=chunks()).status_code == 411


@pytest.mark.parametrize("path", ["/../pyproject.toml", "/%2e%2e/app.py", "/..%2fapp.py"])
def test_no_file_but_the_pages_own_is_served(client, path):
    assert client.get(path).status_code in (404, 405)


def test_no_request_names_a_file(served):
    """Names of folders and files come from the command line: no request has a field for one."""
    schema = make_service(served, Door("127.0.0.1", 8765))._app.openapi()
    names = {
        each["name"] for path in schema["paths"].values() for operation in path.values()
        for each in operation.get("parameters", ())
    }  # fmt: skip
    for model in schema["components"]["schemas"].values():
        names |= set(model.get("properties", ()))
    assert "feature" in names
    assert not names & {"file", "path", "folder", "out", "store", "url", "address"}


def test_an_error_that_nobody_foresaw_is_json_too():
    app = FastAPI()
    handle_errors(app)

    @app.get("/x")
    def fail():
        raise RuntimeError("no such luck")

    reply = TestClient(app, raise_server_exceptions=False).get("/x")
    assert (reply.status_code, reply.json()["kind"]) == (500, "Unexpected")
    assert reply.json()["error"].startswith("Unexpected RuntimeError: no such luck.")
