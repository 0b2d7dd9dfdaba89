"""The page as one HTML file: its view of a run, which needs no service, no network, no other file.

Its modules become data: addresses, which an import map names; what the service would answer is in
the file as JSON (`static/snapshot.js` answers from it).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lib_graph.run.histograms import read_histograms
from lib_graph.support.texts import json_text
from queries.asking.prompts import PromptGraph
from queries.circuits.overview import Overview, Ranked
from queries.graph import Graph
from queries.modules.communities import Communities
from queries.pictures.figures import module_colours

if TYPE_CHECKING:
    import pandas as pd

    from lib_graph.run import Run

__all__ = ["PAGE", "communities_data", "prompt_data", "saved_page", "view_data"]

PAGE = Path(__file__).parent / "static"
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' data:; style-src 'unsafe-inline'; "
    "img-src data: blob:"
)
DIGITS = 7
NODE = ("node", "kind", "position", "token", "activation", "influence", "probability")
PRELOADED = re.compile(r'<link rel="modulepreload" href="[\w-]+\.js">\n')
IMPORT = re.compile(r'((?:from|import) )"\./([\w-]+\.js)"')


def view_data(found: Overview, ranked: Ranked) -> dict[str, Any]:
    """Return an overview as it is sent: columns of values; ends are places among the features.

    `counts` is what each share would keep (`Ranked.counts`), `strengths` what each layer sends out.
    Numbers that are drawn have DIGITS significant digits, so that a view is less than 1 MB.
    """
    places = {feature: place for place, feature in enumerate(found.features["id"])}
    rows = found.interactions
    ends = {end: [places[feature] for feature in rows[end]] for end in ("source", "target")}
    numbers = {name: _short(rows[name]) for name in ("strength", "effect", "share")}
    scalars = ("share", "kept", "cut", "features_of", "interactions_of")
    features = {name: _short(found.features[name]) for name in found.features.columns}
    return {
        **{name: getattr(found, name) for name in scalars},
        "counts": ranked.counts(),
        "strengths": ranked.strengths,
        "features": features,
        "interactions": {**ends, **numbers, "kept_at": rows["kept_at"].tolist()},
    }


def _short(column: pd.Series[Any]) -> list[Any]:
    """Return the values of a column, numbers that are not whole with fewer digits."""
    if column.dtype.kind != "f":
        return column.tolist()
    return [float(f"{value:.{DIGITS}g}") for value in column.tolist()]


def communities_data(found: Communities) -> dict[str, Any]:
    """Return modules as they are sent, with their colours in all pictures of the run."""
    return {**found.json_value(), "colours": module_colours(found.features["community"])}


def prompt_data(found: PromptGraph | None) -> dict[str, Any] | None:
    """Return what an attribution graph is of as it is sent: its tokens, its nodes as columns."""
    if found is None:
        return None
    nodes = {name: [node[name] for node in found.nodes.values()] for name in NODE}
    return {"tokens": found.info.tokens, "nodes": {"id": list(found.nodes), **nodes}}


def saved_page(
    graph: Graph,
    ranked: Ranked,
    communities: Communities,
    *,
    share: float,
    folder: Run | None = None,
) -> str:
    """Return the page with the first interactions of a run; `share` is what it shows at first.

    With the `folder` that knows its features, how often they take which values: about 250 bytes
    of each. Raises RunError if that is damaged.
    """
    view = graph.overview(share=1.0, ranked=ranked)
    part = ranked.rows["part"].iloc[: len(view.interactions)]
    snapshot = {
        "run": asdict(graph.run),
        "store": graph.store.name,
        "layers": [asdict(layer) for layer in graph.layers],
        "prompt": prompt_data(graph.prompt()),
        "view": view_data(view, ranked),
        "part": part.tolist(),
        "sections": ranked.sections,
        "next_at": ranked.next_at,
        "communities": communities_data(communities),
        "share": share,
        "histograms": {} if folder is None else _histograms(folder, view.features),
    }
    texts = {file.name: file.read_text(encoding="utf-8") for file in sorted(PAGE.iterdir())}
    return _filled(texts, snapshot)


def _histograms(folder: Run, features: pd.DataFrame) -> dict[str, Any]:
    """Return the histograms of those features that have one, by id."""
    known = read_histograms(folder)
    places = zip(features["id"], features["layer"], features["index"], strict=True)
    found = {feature: known.get((layer, index)) for feature, layer, index in places}
    return {feature: each.json_value() for feature, each in found.items() if each is not None}


def _filled(texts: Mapping[str, str], snapshot: Mapping[str, Any]) -> str:
    """Return the page's HTML with all that it refers to in it."""
    modules = {
        f"page/{name}": _data("text/javascript", IMPORT.sub(r'\1"page/\2"', text))
        for name, text in texts.items()
        if name.endswith(".js")
    }
    head = (
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f'<script type="application/json" id="snapshot">{_in_script(snapshot)}</script>\n'
        f'<script type="importmap">{_in_script({"imports": modules})}</script>\n'
        '<script type="module">import "page/main.js";</script>'
    )
    page = PRELOADED.sub("", texts["index.html"])
    icon = _data("image/svg+xml", texts["icon.svg"])
    for old, new in (
        ('<link rel="icon" href="icon.svg">', f'<link rel="icon" href="{icon}">'),
        ('<link rel="stylesheet" href="page.css">', f"<style>{texts['page.css']}</style>"),
        ('<script type="module" src="main.js"></script>', head),
    ):
        assert old in page
        page = page.replace(old, new)
    return page


def _data(kind: str, text: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(text.encode()).decode()}"


def _in_script(value: Any) -> str:
    """Return JSON that no text in it can end: what is between <script> and </script>."""
    return json_text(value).replace("<", "\\u003c")
