"""Graphs as JSON: for Cytoscape, for networkx and d3 (node-link), and for Neuronpedia."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lib_graph.support.tables import Record
from queries.export.drawn import DrawnGraph

__all__ = ["cytoscape", "neuronpedia", "node_link"]

PLACE = ("x", "y")
TYPES = {"constant": "bias", "error": "mlp reconstruction error", "output": "logit"}
"""role → Neuronpedia's type of a node; features are what it calls transcoders"""


def cytoscape(graph: DrawnGraph) -> Record:
    """Return a graph as Cytoscape JSON; `value` is what networkx takes for a node's name."""
    return {
        "data": {"shared_name": graph.about.get("name", graph.about.get("run")), **graph.about},
        "elements": {
            "nodes": [
                {"data": {**_without(node, PLACE), "shared_name": node["name"],
                          "value": node["id"]},
                 "position": {"x": node["x"], "y": node["y"]}}
                for node in graph.nodes
            ],
            "edges": [
                {"data": {"id": f"e{number}", **edge}} for number, edge in enumerate(graph.edges)
            ],
        },
    }  # fmt: skip


def node_link(graph: DrawnGraph) -> Record:
    """Return a graph as d3 and networkx have it, its edges as `edges` (networkx from 3.4)."""
    return {
        "directed": True,
        "multigraph": False,
        "graph": graph.about,
        "nodes": list(graph.nodes),
        "edges": list(graph.edges),
    }


def neuronpedia(graph: DrawnGraph) -> Record:
    """Return a graph as an attribution graph of schema 1, which is of data, not of a prompt.

    There is one column, whose pseudo-token says so. A link's weight is the effect, which has a
    sign; where that is not known, the strength. The features of the last layer are the logits that
    such a graph has to have.
    """
    run = str(graph.about.get("run", "run"))
    last = max((node["layer_index"] for node in graph.nodes), default=0)
    ids = {node["id"]: f"{node['layer_index']}_{node['index']}_0" for node in graph.nodes}
    return {
        "metadata": {
            "slug": f"lib-graph-{_slug(run)}",
            "scan": _slug(str(graph.about.get("model", "model"))),
            "prompt_tokens": ["(all data)"],
            "prompt": "(all data)",
            "schema_version": 1,
            "info": {
                "generator": {"name": "lib-graph"},
                "description": "A graph over a data set, not of one prompt: its only column stands "
                f"for all positions of all inputs. {_said(graph.about)}",
            },
        },
        "qParams": {"linkType": "both", "pinnedIds": [], "supernodes": []},
        "nodes": [_node(node, ids, last) for node in graph.nodes],
        "links": [
            {"source": ids[edge["source"]], "target": ids[edge["target"]],
             "weight": edge.get("effect", edge["weight"])}
            for edge in graph.edges
        ],
    }  # fmt: skip


def _node(node: Record, ids: Mapping[str, str], last: int) -> Record:
    layer, index = node["layer_index"], node["index"]
    logit = layer == last
    kind = "logit" if logit else TYPES.get(node["role"], "cross layer transcoder")
    label = f'Output "{node["label"]}" (p=0.000)' if logit else node["label"]
    return {
        "node_id": ids[node["id"]],
        "feature": (layer + index) * (layer + index + 1) // 2 + index,
        "layer": str(layer),
        "ctx_idx": 0,
        "feature_type": kind,
        "jsNodeId": f"{layer}_{index}-0",
        "clerp": label,
        "influence": None,
        "activation": None,
        "token_prob": 0.0,
        "is_target_logit": False,
        "run_idx": 0,
        "reverse_ctx_idx": 0,
    }


def _without(row: Record, names: tuple[str, ...]) -> Record:
    return {name: value for name, value in row.items() if name not in names}


def _said(about: Mapping[str, Any]) -> str:
    return "; ".join(f"{name}: {value}" for name, value in about.items())


def _slug(text: str) -> str:
    """Return a text with nothing but what Neuronpedia allows in names."""
    kept = "".join(x if (x.isascii() and x.isalnum()) or x in "_.-" else "-" for x in text)
    return kept or "-"
