"""Services that run, and pages of them in a browser, for tests of the page."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from playwright.sync_api import Browser, Page, Response

import queries
from ingest.store import open_store
from lib_graph.run import Run
from queries.service.app import make_service
from queries.service.held import Served
from queries.service.serving import listening, make_door
from tests.loaded import load_once


@dataclass(frozen=True)
class Site:
    """A service that runs, and the run that it serves."""

    where: str
    run: Run
    graph: queries.Graph


@contextmanager
def serving(folder: Path, runs: Sequence[Run], port: int = 0) -> Iterator[Site]:
    """Serve runs that lie in a folder; the first is the one that is looked at."""
    file = str(folder / "graph.kgl")
    if not Path(file).exists():
        with open_store(file) as store:
            load_once(store, *runs)
    with Served(file, runs[0].id, [folder]) as served, listening("127.0.0.1", port) as taken:
        port = taken.getsockname()[1]
        app = make_service(served, make_door("127.0.0.1", port))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
        thread.start()
        with queries.open_graph(file, runs[0].id) as graph:
            yield Site(f"http://127.0.0.1:{port}/", runs[0], graph)
        server.should_exit = True
        thread.join()


@contextmanager
def watched(browser: Browser, where: str) -> Iterator[Page]:
    """Open the page; that it said no error and asked no other host is checked at the end."""
    context = browser.new_context(viewport={"width": 1400, "height": 900}, color_scheme="light")
    shown, wrong = context.new_page(), []
    shown.set_default_timeout(30_000)
    shown.on("pageerror", lambda error: wrong.append(str(error)))
    shown.on("response", lambda reply: wrong.append(reply.url) if is_missing(reply) else None)
    own = (where.partition("#")[0], "blob:", "data:")
    shown.on("request", lambda x: None if x.url.startswith(own) else wrong.append(x.url))
    opened(shown, where)
    yield shown
    context.close()
    assert wrong == []


def is_missing(reply: Response) -> bool:
    """Return whether a part of the page is not there; the service may refuse what it is asked."""
    return reply.status >= 400 and "/api/v1/" not in reply.url


def opened(page: Page, where: str) -> None:
    page.goto("about:blank")
    page.goto(where)
    page.wait_for_selector("html[data-ready]")


def place(page: Page, feature: str) -> tuple[float, float]:
    """Return where a feature stands in the window."""
    found = page.evaluate(
        """id => { const at = window.page.graph.features.get(id);
        const box = document.getElementById("drawing").getBoundingClientRect();
        return [box.left + at.x, box.top + at.y]; }""",
        feature,
    )
    return found[0], found[1]


def count_line(site: Site, share: float) -> str:
    found = site.graph.overview(share=share)
    return (
        f"showing {len(found.features)} of {found.features_of} features, "
        f"{len(found.interactions)} of {found.interactions_of} interactions"
    )


def first(site: Site, layer: str = "layer/1") -> str:
    """Return a feature that the page shows at first."""
    features = site.graph.overview().features
    return str(features["id"][features["layer"] == layer].iloc[0])
