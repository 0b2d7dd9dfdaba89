"""What the report of an attribution graph says otherwise: one prompt, and a tool that made it.

Nothing of it was built here: there are no weights, importances or examples, and no network to
ablate, so the parts and commands that need them are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lib_graph.run.prompt import PromptInfo
from lib_graph.support.texts import counted
from lib_graph.support.view import View
from queries.modules.communities import Communities
from queries.report.blocks import Chapter, Facts, Grid
from queries.report.flow import circuits_part, interactions_part
from queries.report.source import Source

__all__ = ["prompt_circuits", "prompt_interactions", "prompt_layers", "prompt_part", "prompt_title"]


def prompt_title(source: Source, prompt: PromptInfo) -> str:
    """Return in one sentence what the graph is of."""
    return f"An attribution graph of one prompt in {source.manifest.model.name}: {prompt.text}"


def prompt_part(source: Source, prompt: PromptInfo) -> Chapter:
    """Return the prompt, its tokens, and by what the graph was made."""
    info = source.graph.run
    facts = [
        ("run", f"{info.name}, id {info.id}"),
        ("prompt", prompt.text),
        ("tokens", f"{len(prompt.tokens):,}: {' '.join(map(repr, prompt.tokens))}"),
        ("network", prompt.scan),
        ("made by", _maker(prompt)),
        ("nodes", f"{info.features:,} in {counted(len(source.manifest.layers), 'layer')}"),
        ("links", f"{info.interactions:,}"),
        ("created", source.manifest.created),
    ]
    facts += [("note", note) for note in prompt.notes]
    about = (
        "Another tool has made this graph of what its network did on one prompt. A feature of the "
        "run is a node: a feature, an error, a token or an answer at one position. An interaction "
        "is a link, which may skip layers. Commands below ask a store, into which the first one "
        "brings the graph."
    )
    rows = tuple((name, value) for name, value in facts if value)
    return Chapter(
        "run", "The prompt", about, (Facts(rows),), (source.ingest("GRAPH.json"), "lib-graph runs")
    )


def prompt_layers(source: Source) -> Chapter:
    """Return how many nodes each layer has."""
    rows = [(layer.name, f"{layer.features:,}") for layer in source.manifest.layers]
    about = (
        "The layers of the graph, from the tokens' embeddings (E) to the answers (logits), each "
        "with its nodes at all positions."
    )
    grid = Grid("", View(("layer", "nodes"), rows, frozenset(["nodes"])))
    return Chapter("layers", "Layers", about, (grid,), (source.ask("features"),))


def prompt_interactions(source: Source) -> Chapter:
    """Return the strongest links."""
    part = interactions_part(source)
    about = (
        "Effect is the weight that the file gives to a link, strength its size, share the part of "
        "it in the strength of all links into the target."
    )
    return replace(part, about=about, blocks=part.blocks[1:])  # sections are of neighbours alone


def prompt_circuits(source: Source, communities: Communities) -> Chapter:
    """Return the circuits, none of which can be tested here."""
    about = (
        "A circuit is a hypothesis. The network that this graph is of is not at hand, so none is "
        "tested here."
    )
    return replace(circuits_part(source, communities), about=about)


def _maker(prompt: PromptInfo) -> str:
    """Return the tool that says that it made the graph, or else whose format it has."""
    info = prompt.metadata.get("info")
    tool = info.get("generator") if isinstance(info, Mapping) else None
    said: Mapping[str, Any] = tool if isinstance(tool, Mapping) else {}
    words = [str(said[key]) for key in ("name", "version", "url") if said.get(key)]
    return ", ".join(words) or f"a tool that it does not name (format: {prompt.format})"
