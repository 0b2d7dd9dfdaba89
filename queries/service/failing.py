"""What goes wrong, as JSON: one line that says what to do, and a status."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from lib_graph.errors import (
    ConflictError,
    LibGraphError,
    NotFoundError,
    RunError,
    StoreUnavailableError,
    UsageError,
)

__all__ = ["FAILURES", "Failure", "handle_errors", "status_of"]

STATUS: dict[type[LibGraphError], int] = {
    NotFoundError: 404,
    UsageError: 422,
    ConflictError: 409,
    RunError: 409,
    StoreUnavailableError: 503,
    LibGraphError: 400,
}


class Failure(BaseModel):
    """What a request that failed is answered with: a line, and the name of the error."""

    error: str
    kind: str


FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"model": Failure} for status in (400, 401, 403, 404, 409, 413, 421, 422, 503)
}


def status_of(error: LibGraphError) -> int:
    """Return the HTTP status of an error.

    >>> status_of(UsageError("x")), status_of(NotFoundError("run", "x", []))
    (422, 404)
    """
    return next(status for kind, status in STATUS.items() if isinstance(error, kind))


def handle_errors(app: FastAPI) -> None:
    """Let the app answer each kind of error with a `Failure`."""

    @app.exception_handler(LibGraphError)
    def of_ours(_: Request, error: LibGraphError) -> JSONResponse:
        return _failure(status_of(error), " ".join(str(error).split()), type(error).__name__)

    @app.exception_handler(RequestValidationError)
    def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        return _failure(422, "; ".join(map(_complaint, error.errors()[:3])), "RequestError")

    @app.exception_handler(HTTPException)
    def of_http(request: Request, error: HTTPException) -> JSONResponse:
        line = f"{error.detail}: {request.method} {request.url.path}. See /api/v1/openapi.json."
        return _failure(error.status_code, line, "RequestError")

    @app.exception_handler(Exception)
    def unforeseen(_: Request, error: Exception) -> JSONResponse:
        line = f"Unexpected {type(error).__name__}: {error}. The service's log shows where."
        return _failure(500, line, "Unexpected")


def _complaint(error: Any) -> str:
    """Return what is wrong with one field of a request."""
    where = ".".join(str(part) for part in error["loc"][1:]) or "the request"
    return f"{where}: {error['msg']}"


def _failure(status: int, line: str, kind: str) -> JSONResponse:
    found = Failure(error=line.encode("utf-8", "replace").decode(), kind=kind)
    return JSONResponse(found.model_dump(), status_code=status)
