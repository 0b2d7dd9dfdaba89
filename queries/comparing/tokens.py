"""Traces and attribution graphs of one prompt side by side, token by token.

Different networks cut a text into different tokens, and an attribution graph has a token that marks
the beginning of the text. Tokens stand beside each other where their text is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import accumulate, pairwise

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from lib_graph.run.prompt import PromptInfo
from lib_graph.run.traced import LayerFlow, TracedTokens
from lib_graph.support.sparsity import count_carrying
from lib_graph.support.tables import Record
from queries.asking.prompts import PromptGraph
from queries.asking.reader import Reader
from queries.asking.statements import Statement, read_text
from queries.graph import Graph

__all__ = ["TOKEN_COLUMNS", "aligned", "token_rows"]

TOKEN_COLUMNS = (
    "place", "token", "run", "name", "layer", "nodes", "for_90", "strength", "share",
)  # fmt: skip

Spans = list[tuple[range, range]]


class _OneInput(BaseModel):
    """What is read of a run's manifest."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    prompt: PromptInfo | None = None
    traced: TracedTokens | None = None


@dataclass(frozen=True)
class _Side:
    """One of the runs: its tokens, and what there is at each of them."""

    graph: Graph
    found: TracedTokens


def token_rows(graphs: Sequence[Graph]) -> tuple[list[Record], tuple[Statement, ...]]:
    """Return TOKEN_COLUMNS for each place in the text, run and layer, and what was read for it.

    Only runs of one input that is tokens of a text have any; fewer than two give none. `place`
    numbers the pieces of text from 0. `nodes` counts the nodes of a graph at the tokens of a piece,
    of a trace the features that anything flows into; `for_90` those that make up 90 % of the
    strength there. `strength` is that of all interactions into them, the constant's left out, and
    `share` its part of all that flows into the layer, None where nothing does.
    """
    sides: list[_Side] = []
    statements: list[Statement] = []
    for graph in graphs:
        reader = Reader(graph.store, graph.run.id, skips=graph.run.prompt is not None)
        found = _tokens(graph, reader)
        statements += reader.statements
        if found is not None and found.tokens:
            sides.append(_Side(graph, found))
    if len(sides) < 2:
        return [], ()
    places = _places([side.found.tokens for side in sides])
    rows = [
        row
        for place, spans in enumerate(places)
        for side, span in zip(sides, spans, strict=True)
        if span
        for row in _rows(side, place, span)
    ]
    return rows, tuple(statements)


def _rows(side: _Side, place: int, span: Sequence[int]) -> list[Record]:
    run, found = side.graph.run, side.found
    return [
        {
            "place": place,
            "token": "".join(found.tokens[t] for t in span),
            "run": run.id,
            "name": run.name,
            "layer": layer.layer,
            "nodes": sum(layer.nodes[t] for t in span),
            "for_90": sum(layer.for_90[t] for t in span),
            "strength": (strength := sum(layer.strength[t] for t in span)),
            "share": strength / total if (total := sum(layer.strength)) > 0 else None,
        }
        for layer in found.layers
    ]


def _tokens(graph: Graph, reader: Reader) -> TracedTokens | None:
    """Return what a run says of its tokens; None of one over data, or whose input is no text."""
    (row,) = reader.rows(read_text("run_manifest"))
    manifest = _OneInput.model_validate_json(row["manifest"])
    if manifest.prompt is None:
        return manifest.traced
    prompt = graph.prompt()
    assert prompt is not None
    return _of_graph(graph, prompt, reader)


def _of_graph(graph: Graph, prompt: PromptGraph, reader: Reader) -> TracedTokens:
    """Return the nodes of an attribution graph by layer and position, and what flows into them."""
    into = pd.concat(
        reader.frame(read_text("section_interactions"), layer=layer.index, min_strength=0.0)
        for layer in graph.layers
    )
    strength = into.groupby("target")["strength"].sum()
    nodes = pd.DataFrame(
        [(node["layer"], node["position"]) for node in map(_placed, prompt.nodes.items())],
        columns=["layer", "position"], index=list(prompt.nodes),
    ).assign(strength=strength)  # fmt: skip
    nodes["strength"] = nodes["strength"].fillna(0.0)
    count = range(len(prompt.info.tokens))
    layers = []
    for layer in graph.layers:
        own = nodes[nodes["layer"] == layer.name]
        at = [own["strength"][own["position"] == t].to_numpy(dtype=np.float64) for t in count]
        layers.append(
            LayerFlow(
                layer=layer.name,
                strength=tuple(float(values.sum()) for values in at),
                nodes=tuple(len(values) for values in at),
                for_90=tuple(
                    int(count_carrying(values, 0.9)) if values.sum() > 0 else 0 for values in at
                ),
            )
        )
    return TracedTokens(tokens=prompt.info.tokens, layers=tuple(layers))


def _placed(node: tuple[str, Record]) -> Record:
    name, fields = node
    return {**fields, "layer": name.partition("/")[2].rpartition("/")[0]}


def _places(texts: Sequence[Sequence[str]]) -> list[list[Sequence[int]]]:
    """Return the pieces of text in their order: of each, its tokens in each of the texts.

    Tokens that one text cuts otherwise than the first stand together, and those that it has alone
    stand alone.
    """
    first, *others = texts
    found = [aligned(first, other) for other in others]
    cuts = set(range(len(first) + 1))
    for spans in found:
        cuts -= {at for one, _ in spans for at in range(one.start + 1, one.stop)}
    places: list[list[Sequence[int]]] = []
    bounds = sorted(cuts)
    for start, stop in [*pairwise(bounds), (len(first), len(first) + 1)]:
        here = range(start, stop)
        for number, spans in enumerate(found, 1):
            alone = (other for one, other in spans if not one and one.start in here)
            for at in (at for other in alone for at in other):
                places.append([[at] if n == number else [] for n in range(len(texts))])
        beside = [
            [at for one, other in spans if one and one.start in here for at in other]
            for spans in found
        ]
        if start < len(first):
            places.append([here, *beside])
    return places


def aligned(first: Sequence[str], other: Sequence[str]) -> Spans:
    """Return which tokens of two texts are the same piece of text, blanks left out.

    What stands in one of them alone has an empty range in the other.

    >>> aligned(["<s>", " Once", " up", "on"], ["Once", " upon", "!"])
    [(range(0, 1), range(0, 0)), (range(1, 2), range(0, 1)), (range(2, 4), range(1, 2)),
     (range(4, 4), range(2, 3))]
    """
    one, two = ([_key(token) for token in tokens] for tokens in (first, other))
    starts, begins = _starts(one), _starts(two)
    blocks = SequenceMatcher(None, "".join(one), "".join(two), autojunk=False).get_matching_blocks()
    cuts = [(0, 0), (len(one), len(two))]
    for i, j, size in blocks:
        cuts += [
            (starts[i + n], begins[j + n])
            for n in range(size + 1)
            if i + n in starts and j + n in begins
        ]
    spans: Spans = []
    for (a, c), (b, d) in pairwise(sorted(set(cuts))):
        if "".join(one[a:b]) == "".join(two[c:d]):
            spans.append((range(a, b), range(c, d)))
        else:
            spans += [(range(t, t + 1), range(c, c)) for t in range(a, b)]
            spans += [(range(b, b), range(t, t + 1)) for t in range(c, d)]
    return spans


def _starts(tokens: Sequence[str]) -> dict[int, int]:
    """Return the number of each token by the character that it starts with, and of the end."""
    return {at: number for number, at in enumerate(accumulate(map(len, tokens), initial=0))}


def _key(token: str) -> str:
    """Return a token without its blanks, and a new line however it is written."""
    return token.replace(" ", "").replace("⏎", "\n") or " "
