"""Requests for what takes long: score a circuit, shrink one, trace an input, find examples."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Response
from fastapi import Path as InAddress
from fastapi.responses import StreamingResponse
from pydantic import Field

import ingest
from lib_graph.errors import ConflictError, UsageError
from lib_graph.run import Run
from lib_graph.run.circuit import read_circuit
from queries.graph import Graph
from queries.service.answers import Answered, answer, plain
from queries.service.asked import RunGraph, TheService
from queries.service.circuits import CircuitRequest
from queries.service.held import Served
from queries.service.jobs import Errand, Work

__all__ = ["router"]

router = APIRouter()
BEAT = 0.25  # seconds between two looks at a job
JobId = Annotated[str, InAddress(max_length=100)]


class JobRequest(CircuitRequest):
    """What is to be done; a circuit that is scored under a name is saved under it."""

    kind: Literal["score", "shrink", "trace", "examples"]
    name: str | None = Field(None, max_length=200, description="score, shrink: save it so.")
    input: str | None = Field(None, max_length=10_000, description="trace: a sample's number, text")
    keep_score: float = Field(0.01, ge=0, allow_inf_nan=False, description="shrink: may be lost")


@router.post("/jobs", response_model=Answered)
def start(service: TheService, graph: RunGraph, wanted: Annotated[JobRequest, Body()]) -> Response:
    """Start a job. Raises ConflictError if the run's folder is not at hand, or too many run."""
    folder = service.folder(graph.run)
    if folder is None:
        raise ConflictError(
            f"The folder of run {graph.run.id} is not at hand, and its network is needed. Start "
            "the service with --folder."
        )
    job = service.jobs.start(lambda: _work(service, graph, folder, wanted))
    return answer(graph.run, job.told())


@router.get("/jobs", response_model=Answered)
def jobs(service: TheService) -> Response:
    """Return all jobs, the newest last."""
    return answer(None, [job.told() for job in service.jobs.all()])


@router.get("/jobs/{job}", response_model=Answered)
def job(service: TheService, job: JobId) -> Response:
    """Return what is known of a job."""
    return answer(None, service.jobs.find(job).told())


@router.delete("/jobs/{job}", response_model=Answered)
def cancel(service: TheService, job: JobId) -> Response:
    """End a job; what it has finished stays."""
    found = service.jobs.find(job)
    found.cancel()
    return answer(None, found.told())


@router.get("/jobs/{job}/events", response_class=StreamingResponse)
def events(service: TheService, job: JobId) -> StreamingResponse:
    """Send what is known of a job whenever that changes, until it ends: server-sent events."""
    return StreamingResponse(_told(service.jobs.find(job)), media_type="text/event-stream")


async def _told(job: Errand) -> AsyncIterator[str]:
    before = ""
    while True:
        over = job.state != "running"
        text = json.dumps(plain(job.told()), allow_nan=False)
        if text != before:
            yield f"data: {text}\n\n"
            before = text
        if over:
            return
        await asyncio.sleep(BEAT)


def _work(service: Served, graph: Graph, folder: Run, wanted: JobRequest) -> Work:
    if wanted.kind == "examples":
        return Work("examples", graph.run.id, ("examples", str(folder.path)), lambda: None)
    if wanted.kind == "trace":
        return _trace(service, graph, folder, wanted.input)
    return _score(service, graph, folder, wanted)


def _trace(service: Served, graph: Graph, folder: Run, given: str | None) -> Work:
    """Trace an input into a new folder beside the run's, and load it."""
    if not given:
        raise UsageError("A trace needs an input: the number of a sample, or a text.")
    out = Path(tempfile.mkdtemp(prefix=f"{folder.path.name}-trace-", dir=folder.path.parent))
    out.rmdir()  # the command makes it

    def load() -> Any:
        with service.writing(graph.run.id) as to:
            return {"run": ingest.load(out, to.store).run_id}

    arguments = ("trace", str(folder.path), f"--input={given}", "--out", str(out))
    return Work("trace", graph.run.id, arguments, load)


def _score(service: Served, graph: Graph, folder: Run, wanted: JobRequest) -> Work:
    """Score a circuit alone, or find a small one that keeps the score; save it if it has a name.

    Raises ConflictError if another circuit has that name already.
    """
    circuit = wanted.circuit(graph) if wanted.kind == "score" else None
    if wanted.name is not None:
        graph.circuits.check_free(wanted.name, circuit)
    place = Path(tempfile.mkdtemp(prefix="lib-graph-"))
    file = place / "circuit.json"
    given = [f"--keep-score={wanted.keep_score!r}"]
    if circuit is not None:
        given = [str(file)]
        try:
            circuit.save(file)
        except BaseException:
            shutil.rmtree(place)
            raise

    def save() -> Any:
        found = read_circuit(file)
        if wanted.name is not None:
            with service.writing(graph.run.id) as to:
                to.circuits.import_file(file, name=wanted.name)
        return found.json_value()

    arguments = ("ablate", str(folder.path), "circuit", *given, "--out", str(file))
    clean = lambda: shutil.rmtree(place, ignore_errors=True)  # noqa: E731
    return Work(wanted.kind, graph.run.id, arguments, save, clean)
