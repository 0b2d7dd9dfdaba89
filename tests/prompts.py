"""Random attribution graphs whose links skip layers, as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from lib_graph.run.prompt import cantor


def random_graph(
    path: Path, layers: int = 5, *, positions: int = 3, density: float = 0.5, seed: int = 0,
    ties: bool = False, slug: str = "random",
) -> Path:  # fmt: skip
    """Write a graph with two features in each layer at each position but the first.

    A node of a layer drives any later one at the same position or a later one, with a probability
    of `density`; weights span some orders of magnitude, or with `ties` all have the size 1.
    """
    rng = np.random.default_rng(seed)
    tokens = [f" t{n}" for n in range(positions)]
    nodes = [_node(f"E_{7 + n}_{n}", "embedding", "E", n, n) for n in range(positions)]
    for layer in range(layers):
        for n in range(1, positions):
            kind = "cross layer transcoder"
            nodes += [
                _node(f"{layer}_{f}_{n}", kind, str(layer), cantor(layer, f), n) for f in (13, 21)
            ]
            nodes.append(_node(f"0_{layer}_{n}", "mlp reconstruction error", str(layer), -1, n))
    last = positions - 1
    nodes += [
        {**_node(f"{layers + 1}_{v}_{last}", "logit", str(layers + 1), v, last), "token_prob": p,
         "clerp": f'Output " v{v}" (p={p})'}
        for v, p in ((5, 0.75), (6, 0.25))
    ]  # fmt: skip
    links = [
        {"source": a["node_id"], "target": b["node_id"], "weight": _weight(rng, ties)}
        for a in nodes
        for b in nodes
        if _depth(a) < _depth(b) and a["ctx_idx"] <= b["ctx_idx"]
        and b["feature_type"] != "mlp reconstruction error" and rng.random() < density
    ]  # fmt: skip
    graph = {
        "metadata": {
            "slug": slug, "scan": "random", "prompt_tokens": tokens, "prompt": "".join(tokens),
            "schema_version": 1,
        },
        "qParams": {}, "nodes": nodes, "links": links,
    }  # fmt: skip
    path.write_text(json.dumps(graph))
    return path


def _node(name: str, kind: str, layer: str, feature: int, position: int) -> dict[str, Any]:
    return {
        "node_id": name, "feature_type": kind, "layer": layer, "feature": feature,
        "ctx_idx": position, "jsNodeId": name, "clerp": "", "influence": 0.5,
        "activation": 1.5 if kind.startswith("cross") else None, "token_prob": 0.0,
        "is_target_logit": False, "run_idx": 0, "reverse_ctx_idx": 0,
    }  # fmt: skip


def _depth(node: dict[str, Any]) -> int:
    return -1 if node["layer"] == "E" else int(node["layer"])


def _weight(rng: np.random.Generator, ties: bool) -> float:
    size = 1.0 if ties else float(rng.lognormal(0, 2))
    return size * float(rng.choice([-1, 1]))
