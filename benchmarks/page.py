"""The page of a large run: first view, bytes, answers to hover and click, redraws without a GPU."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from benchmarks.measuring import Figure
from benchmarks.stores import SIZES, write_run

__all__ = ["measure_page"]

SIZE = "2.25M"
FIRST = "() => document.getElementById('counts').textContent.startsWith('showing ')"
REDRAWS = """async () => {
  const { hover } = await import('/drawing.js');
  const canvas = document.getElementById('drawing'), context = canvas.getContext('2d');
  const nodes = [...page.graph.nodes.values()];
  const timed = (draw) => {
    const start = performance.now();
    draw();
    context.getImageData(0, 0, 1, 1);  // whatever was asked for has to be painted first
    return (performance.now() - start) / 1000;
  };
  const some = (draw) => Array.from({ length: 15 }, (_, i) => timed(() => draw(i)));
  const found = { interactions: page.graph.interactions.size };
  found.anew = some(() => { page.graph.touch(); page.draw(); });
  found.whole = [];
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    page.graph.touch();
    await page.draw();
    found.whole.push((performance.now() - start) / 1000);
  }
  found.again = some(() => page.draw());
  found.hover = some((i) => hover(page.graph, nodes[7 * i], page.look()));
  return found;
}"""


def measure_page(folder: Path, repeat: int) -> list[Figure]:
    """Return the figures of the page of a run of 2.25 million interactions, in Chromium."""
    import ingest

    write_run(folder / "run", SIZES[SIZE])
    ingest.load(folder / "run", folder / "graph.kgl")
    with _served(folder) as where:
        _answered(f"{where}api/v1/view?share=1")  # the store is open, the ranking held
        sent = _answered(f"{where}api/v1/view?share=1")[1]
        clicks = [_answered(f"{where}api/v1/feature?feature=layer.4/{i}")[0] for i in range(1, 8)]
        views, drawn = _in_browser(where, repeat)
    name = f"page, {SIZE}"
    return [
        Figure(f"{name}: first view, from the request", "s", tuple(views), 1.5),
        Figure(f"{name}: sent for a view of 5,000 interactions", "MB", (sent / 1e6,), 1.0),
        Figure(f"{name}: answer to a click, on the server", "s", tuple(clicks), 0.1),
        Figure(f"{name}: 5,000 arranged anew, the strongest drawn", "s", drawn["anew"], 0.05),
        Figure(f"{name}: until all of them are drawn, a slice a frame", "s", drawn["whole"]),
        Figure(f"{name}: redrawn, as for a selection", "s", drawn["again"], 0.05),
        Figure(f"{name}: hover over a feature", "s", drawn["hover"], 0.05),
    ]


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """Yield the address of a service, in a process of its own."""
    store = str(folder / "graph.kgl")
    command = [sys.executable, "-m", "lib_graph", "serve", "--store", store, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as running:
        assert running.stdout is not None
        try:
            yield running.stdout.readline().partition(": ")[2].partition(" ")[0]
        finally:
            running.terminate()


def _answered(url: str) -> tuple[float, int]:
    """Return the seconds that an answer took, and its bytes."""
    start = time.perf_counter()
    with urlopen(url) as reply:
        size = len(reply.read())
    return time.perf_counter() - start, size


def _in_browser(where: str, repeat: int) -> tuple[list[float], dict[str, Any]]:
    """Return the seconds until the first view, and those of redraws, without a GPU."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        views = []
        for _ in range(repeat):
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            start = time.perf_counter()
            page.goto(f"{where}#share=100")
            while not page.evaluate(FIRST):
                page.wait_for_timeout(10)
            views.append(time.perf_counter() - start)
        page.wait_for_selector("html[data-ready]", timeout=300_000)
        drawn = page.evaluate(REDRAWS)
        browser.close()
    assert drawn["interactions"] == 5000
    return views, {name: tuple(x) if name != "interactions" else x for name, x in drawn.items()}
