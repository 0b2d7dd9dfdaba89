"""The service as an ASGI application: the API under /api/v1, and the page."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp

from queries.service import circuits, features, modules, reading, texts, working
from queries.service.asked import known_parameters
from queries.service.failing import FAILURES, handle_errors
from queries.service.guard import Door, Guard
from queries.service.held import Served
from queries.service.saved_page import PAGE

__all__ = ["API", "make_api", "make_service"]

API = "/api/v1"


def make_service(served: Served, door: Door) -> ASGIApp:
    """Return the service, as it is asked through a door."""
    app = make_api(served)
    app.mount("/", StaticFiles(directory=PAGE, html=True), name="page")
    return Guard(app, door)


def make_api(served: Served) -> FastAPI:
    """Return the API alone, as programs that trust each other ask it."""
    app = FastAPI(
        title="lib-graph",
        version=version("lib-graph"),
        description=__doc__ or "",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # they load scripts from foreign hosts
        redoc_url=None,
        generate_unique_id_function=_operation,
    )
    app.state.served = served
    handle_errors(app)
    api = APIRouter(prefix=API, responses=FAILURES, dependencies=[Depends(known_parameters)])
    for each in (reading, features, circuits, modules, texts, working):
        api.include_router(each.router)
    app.include_router(api)
    return app


def _operation(route: APIRoute) -> str:
    return route.name
