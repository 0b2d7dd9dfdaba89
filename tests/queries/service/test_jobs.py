"""Jobs on a small network of one's own: a circuit is scored, a job cancelled, a process dies."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import ingest
from ingest.store import open_store
from lib_graph.analysis.ablation import Bench, ablate_circuit, read_ablation
from lib_graph.errors import ConflictError
from lib_graph.run import Run
from lib_graph.run.circuit import CircuitFile
from queries.service.held import Served
from queries.service.jobs import Errand, Jobs, Work
from tests.lib_graph.cli.test_build import lib_graph
from tests.own_network import NETWORK
from tests.queries.service.conftest import Api, asked

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "net.py").write_text(NETWORK)
    model, out = f"{folder / 'net.py'}:make_model", str(folder / "my-run")
    assert lib_graph("build", model, "--out", out, "-q", "--layers", "input=0:in,2:in,output") == 0
    with open_store(folder / "graph.kgl") as store:
        ingest.load(folder / "my-run", store)
    with Served(str(folder / "graph.kgl"), None, [folder]) as served:
        yield Api(asked(served), served)


def ended(api: Api, job: str) -> dict:
    """Follow a job by its events until it ends, and return what is known of it then."""
    reply = api.client.get(f"/api/v1/jobs/{job}/events")
    assert reply.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(x.removeprefix("data: ")) for x in reply.text.strip().split("\n\n")]
    assert [each["state"] for each in events[:-1]] == ["running"] * (len(events) - 1)
    assert api.data(f"/jobs/{job}") == events[-1]
    return events[-1]


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_circuit_is_scored_and_saved_as_the_command_does(api: Api) -> None:
    graph = api.served.graph()
    circuit = graph.circuit(target="output", min_share=0.2)
    wanted = {"kind": "score", "features": circuit.features["id"].tolist(), "name": "mine"}
    started = api.client.post("/api/v1/jobs", json=wanted).json()
    assert started["run"]["id"] == graph.run.id
    done = ended(api, started["data"]["id"])
    assert done["state"] == "done", done
    saved = graph.circuits.load("mine")
    run = api.served.folder(graph.run)
    bench = Bench.of(run)
    expected = ablate_circuit(bench, CircuitFile.model_validate_json(json.dumps(done["result"])))
    bench.close()
    expected = expected.scores()
    assert saved.scores == expected
    assert done["result"]["score"] == expected.score
    table = read_ablation(Run.open(run.path))
    assert table["score"][table["kind"] == "circuit"].tolist() == [expected.score]
    assert [job["id"] for job in api.data("/jobs")] == [started["data"]["id"]]


def test_examples_are_found_and_shown(api: Api) -> None:
    started = api.client.post("/api/v1/jobs", json={"kind": "examples"}).json()["data"]
    assert ended(api, started["id"])["state"] == "done"
    assert len(api.data("/examples", feature="output/1")["examples"]) > 0


def test_an_input_is_traced_into_the_store(api: Api) -> None:
    base = api.served.graph().run.id
    wanted = {"kind": "trace", "input": "3"}
    started = api.client.post("/api/v1/jobs", params={"run": base}, json=wanted).json()["data"]
    done = ended(api, started["id"])
    assert done["state"] == "done", done
    (trace,) = [run for run in api.data("/runs")["runs"] if run["base"] == base]
    assert done["result"] == {"run": trace["id"]}


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        ({"kind": "trace"}, "A trace needs an input"),
        ({"kind": "score"}, "Give the circuit's features, or its interactions"),
        ({"kind": "score", "features": ["output/99"]}, "Feature '"),
        ({"kind": "nap"}, "kind: Input should be"),
    ],
)
def test_what_cannot_be_started(api, wanted, line):
    reply = api.client.post("/api/v1/jobs", json=wanted)
    assert 400 <= reply.status_code < 500
    assert reply.json()["error"].startswith(line)


@pytest.mark.parametrize("kind", ["score", "shrink"])
def test_a_name_that_is_taken_is_told_before_anything_is_scored(api: Api, kind: str) -> None:
    graph = api.served.graph()
    with api.served.writing() as to:
        to.circuits.save(graph.circuit(target="output/0", min_share=0.2), "taken")
    other = graph.circuit(target="output/1", min_share=0.2).features["id"].tolist()
    given = {"features": other} if kind == "score" else {}
    before = api.data("/jobs")
    reply = api.client.post("/api/v1/jobs", json={"kind": kind, "name": "taken", **given})
    assert reply.status_code == 409
    assert reply.json()["error"].startswith("There is another circuit 'taken' of run")
    assert api.data("/jobs") == before


def test_a_command_that_fails_says_why(api: Api) -> None:
    wanted = {"kind": "trace", "input": "100000"}
    started = api.client.post("/api/v1/jobs", json=wanted).json()["data"]
    done = ended(api, started["id"])
    assert done["state"] == "failed"
    assert done["lines"][-1].startswith("Error: ")


def test_a_folder_that_is_not_at_hand(api: Api) -> None:
    with Served(api.served.name) as served:
        reply = asked(served).post("/api/v1/jobs", json={"kind": "examples"})
    assert reply.status_code == 409
    assert reply.json()["error"].endswith("Start the service with --folder.")


def waiting(tmp_path: Path) -> Work:
    """Return a command that runs until it is ended: a service of its own."""
    with open_store(tmp_path / "graph.kgl") as store:
        store.ensure_schema()
    arguments = ("serve", "--store", str(tmp_path / "graph.kgl"), "--port", "0")
    return Work("serve", "", arguments, lambda: "finished")


def test_a_job_that_is_cancelled_and_one_whose_process_dies(tmp_path: Path) -> None:
    jobs = Jobs()
    one, other = (jobs.start(lambda: waiting(tmp_path)) for _ in range(2))
    with pytest.raises(ConflictError, match="2 jobs run already"):
        jobs.start(lambda: waiting(tmp_path))
    one.cancel()
    assert (one.state, one.result) == ("cancelled", None)
    other._process.send_signal(signal.SIGKILL)
    until(lambda: other.state != "running")
    assert other.state == "failed"
    assert other.lines[-1] == "The process of this job was ended by signal 9."
    third: Errand = jobs.start(lambda: waiting(tmp_path))
    jobs.close()
    assert third.state == "cancelled"


def test_a_job_that_runs_is_remembered_however_many_ended_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("queries.service.jobs.REMEMBERED", 2)
    jobs = Jobs()
    long = jobs.start(lambda: waiting(tmp_path))
    cleaned: list[str] = []
    work = Work("version", "", ("--version",), lambda: None, lambda: cleaned.append("once"))
    for _ in range(3):
        short = jobs.start(lambda: work)
        short._thread.join()
    assert short.state == "done"
    assert jobs.all() == (long, short)
    assert cleaned == ["once"] * 3  # what each of them left
    jobs.close()
    assert long.state == "cancelled"
