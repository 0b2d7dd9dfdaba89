"""`lib-graph serve` as a process: its address, many requests at once, a taken port, Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import pytest

from ingest.store import open_store
from lib_graph.errors import ConflictError, UsageError
from queries.service.serving import address, listening, make_door
from tests.loaded import load_once
from tests.synthetic import random_run


@pytest.fixture
def store_file(tmp_path: Path) -> str:
    with open_store(tmp_path / "graph.kgl") as store:
        load_once(store, random_run(tmp_path / "run", (4, 3, 3), seed=2))
    return str(tmp_path / "graph.kgl")


@pytest.fixture
def process(store_file: str, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A service that runs, and its address."""
    command = [sys.executable, "-m", "lib_graph", "serve", "--store", store_file, "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as running:
        assert running.stdout is not None
        line = running.stdout.readline()
        yield running, line.partition(": ")[2].partition(" ")[0]
        running.kill()


@pytest.mark.slow
def test_a_service_answers_until_ctrl_c(process, store_file, cli):
    running, where = process
    with urlopen(where) as reply:
        assert reply.headers["content-type"].startswith("text/html")
    port = where.rstrip("/").rpartition(":")[2]
    taken = cli("serve", "--store", store_file, "--port", port)
    assert taken.code == 4
    assert taken.err.startswith(f"Error: Port {port} of 127.0.0.1 is taken")
    with ThreadPoolExecutor(200) as pool:
        found = list(pool.map(lambda _: read(f"{where}api/v1/layers"), range(1000)))
    assert len(found) == 1000
    assert all(answer == found[0] for answer in found)
    assert [each["name"] for each in found[0]["data"]] == ["layer.0", "layer/1", "layer.2"]
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=20)
    assert running.returncode == 0
    assert "Traceback" not in err


def read(url: str) -> dict:
    with urlopen(url, timeout=60) as reply:
        return json.load(reply)


def test_there_is_no_store(cli, tmp_path):
    answer = cli("serve", "--store", tmp_path / "none.kgl", "--port", "0")
    assert answer.code == 3
    assert answer.err.startswith("Error: There is no store")


def test_only_a_door_to_others_has_a_token():
    assert make_door("127.0.0.1", 1).token is None
    assert make_door("localhost", 1).token is None
    one, other = make_door("0.0.0.0", 1), make_door("0.0.0.0", 1)
    assert one.token != other.token
    assert one.token is not None
    assert len(one.token) >= 32
    assert address(one).endswith(f":1/?token={one.token}")


def test_an_address_is_taken_once():
    with listening("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(ConflictError, match=f"Port {port} of 127.0.0.1 is taken"):  # noqa: SIM117
            with listening("127.0.0.1", port):
                pass
    with pytest.raises(UsageError, match=r"'192\.0\.2\.1', port 0 cannot be used"):  # noqa: SIM117
        with listening("192.0.2.1", 0):
            pass
