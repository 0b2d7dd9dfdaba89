"""An attribution graph as the JSON that it came from: read again, it is the same run."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pandas as pd

from lib_graph.run.labels import as_label
from lib_graph.run.prompt import LOGITS, made_label, usual_fields
from lib_graph.support.tables import Record
from queries.asking.prompts import PromptGraph

__all__ = ["prompt_graph"]


def prompt_graph(
    prompt: PromptGraph, features: Iterable[str], interactions: pd.DataFrame
) -> Record:
    """Return some nodes of an attribution graph, by their ids, and some of its links.

    Fields that the file had, and this does not know, are written again; those that follow from
    others are as circuit-tracer writes them, and labels as they are now.
    """
    wanted = set(features)
    nodes = {name: node for name, node in prompt.nodes.items() if name in wanted}
    ends = zip(interactions["source"], interactions["target"], interactions["effect"], strict=True)
    return {
        "metadata": prompt.info.metadata,
        "qParams": prompt.info.view,
        "nodes": [_node(node) for node in nodes.values()],
        "links": [
            {"source": nodes[source]["node"], "target": nodes[target]["node"], "weight": effect}
            for source, target, effect in ends
        ],
        **prompt.info.extra,
    }


def _node(node: Record) -> Record:
    role, number, position = node["role"], node["number"], node["position"]
    extra = json.loads(node["extra"]) if node["extra"] else {}
    layer = {"embedding": "E", "logit": LOGITS}.get(role, str(node["depth"]))
    return {
        "node_id": node["node"],
        "feature_type": node["kind"],
        "ctx_idx": position,
        **usual_fields(role, layer, number, position, node["probability"]),
        "activation": node["activation"],
        "influence": node["influence"],
        **extra,
        "clerp": _label(node, extra.get("clerp")),
    }


def _label(node: Record, written: str | None) -> str:
    """Return the label as the file had it, where it still is that one."""
    label = node["label"]
    if written is not None and as_label(written) == label:
        return written
    made = made_label(node["role"], node["number"], node["token"])
    return "" if label == made else str(label)
