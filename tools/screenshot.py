"""The picture of the page in docs/service.md, taken in the system's Chromium.

    python -m tools.screenshot STORE LABELLED_RUN FEATURE

such as those of `lib-graph demo`: lib-graph-demo/lib-graph.kgl modular-addition-lib ln2.0/3.
"""

from __future__ import annotations

import io
import shutil
import sys
import threading
from pathlib import Path
from urllib.parse import urlencode

import uvicorn
from PIL import Image
from playwright.sync_api import sync_playwright

from queries.service.app import make_service
from queries.service.held import Served
from queries.service.serving import address, listening, make_door

__all__ = ["PICTURE", "take"]

PICTURE = Path(__file__).parents[1] / "docs" / "page.png"
COLOURS = 128  # as many as the page needs, so that the file stays small
SIZE = {"width": 1280, "height": 720}


def take(store: str, run: str, feature: str, file: Path = PICTURE) -> None:
    """Open the page at a feature and keep what it shows."""
    with Served(store, run) as served, listening("127.0.0.1", 0) as taken:
        door = make_door("127.0.0.1", taken.getsockname()[1])
        app = make_service(served, door)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
        thread.start()
        graph = served.graph(run)
        view = urlencode(
            {"run": graph.run.id, "selected": f"{graph.run.id}/{feature}", "order": "module"}
        )
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox"]
                )
                page = browser.new_page(viewport=SIZE, color_scheme="light")  # type: ignore[arg-type]
                page.goto(f"{address(door)}#{view}")
                page.wait_for_selector("html[data-ready]")
                page.wait_for_selector("#outputs")
                whole = Image.open(io.BytesIO(page.screenshot()))
                browser.close()
            few = whole.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE)
            few.save(file, optimize=True)
        finally:
            server.should_exit = True
            thread.join()


if __name__ == "__main__":
    take(*sys.argv[1:4])
