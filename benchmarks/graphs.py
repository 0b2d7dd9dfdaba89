"""Many attribution graphs in one store: how long they take to load, and a question about all.

The graphs are made up in the size of those that people publish: some 500 nodes and 3,000 links,
whose features are of a few dictionaries, so that most appear in several graphs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import Figure, in_fresh_process

__all__ = ["COUNTS", "measure_graphs", "write_graph"]

COUNTS = (50, 150, 1000)
"""How many graphs there are in a store"""
LAYERS, POSITIONS, LINKS = 26, 8, 3000
FEATURES = 16  # of each layer
DICTIONARY = 40  # features of each layer that graphs choose from
TRANSCODER = "cross layer transcoder"


def write_graph(path: Path, seed: int) -> None:
    """Write an attribution graph of about 500 nodes and 3,000 links."""
    rng = np.random.default_rng(seed)
    tokens = [f" t{n}" for n in range(POSITIONS)]
    nodes = [_node(f"E_{n}_{n}", "embedding", "E", n, n) for n in range(POSITIONS)]
    for layer in range(LAYERS):
        for pair in rng.choice(DICTIONARY * (POSITIONS - 1), FEATURES, replace=False).tolist():
            number, position = pair // (POSITIONS - 1), 1 + pair % (POSITIONS - 1)
            code = (layer + number) * (layer + number + 1) // 2 + number
            name = f"{layer}_{number}_{position}"
            nodes.append(_node(name, TRANSCODER, str(layer), code, position))
        for n in rng.choice(np.arange(1, POSITIONS), 3, replace=False).tolist():
            name = f"0_{layer}_{n}"
            nodes.append(_node(name, "mlp reconstruction error", str(layer), -1, n))
    for word in range(4):
        name = f"{LAYERS}_{word}_{POSITIONS - 1}"
        nodes.append(_node(name, "logit", str(LAYERS), word, POSITIONS - 1) | {"token_prob": 0.2})
    depth = np.array([-1 if node["layer"] == "E" else int(node["layer"]) for node in nodes])
    position = np.array([node["ctx_idx"] for node in nodes])
    takes = np.array([node["feature_type"] in (TRANSCODER, "logit") for node in nodes])
    can = (depth[:, None] < depth) & (position[:, None] <= position) & takes
    source, target = np.nonzero(can)
    chosen = np.sort(rng.choice(len(source), LINKS, replace=False))
    links = [
        {"source": nodes[s]["node_id"], "target": nodes[t]["node_id"], "weight": weight}
        for s, t, weight in zip(
            source[chosen].tolist(), target[chosen].tolist(),
            rng.normal(size=LINKS).tolist(), strict=True,
        )
    ]  # fmt: skip
    metadata = {"slug": f"graph-{seed}", "scan": "synthetic", "prompt_tokens": tokens,
                "prompt": "".join(tokens), "schema_version": 1}  # fmt: skip
    graph = {"metadata": metadata, "qParams": {}, "nodes": nodes, "links": links}
    path.write_text(json.dumps(graph), encoding="utf-8")


def _node(name: str, kind: str, layer: str, feature: int, position: int) -> dict[str, Any]:
    return {
        "node_id": name, "feature_type": kind, "layer": layer, "feature": feature,
        "ctx_idx": position, "jsNodeId": f"{name}-0", "clerp": "", "influence": 0.5,
        "activation": 1.5 if kind == TRANSCODER else None, "token_prob": 0.0,
        "is_target_logit": False, "run_idx": 0, "reverse_ctx_idx": 0,
    }  # fmt: skip


def measure_graphs(folder: Path, repeat: int, counts: tuple[int, ...]) -> Iterator[list[Figure]]:
    """Yield, for each number of graphs, how long they take to load and to be asked about."""
    for count in counts:
        graphs, store = folder / f"{count}", str(folder / f"{count}.kgl")
        graphs.mkdir()
        for seed in range(count):
            write_graph(graphs / f"{seed:04}.json", seed)
        name = f"{count:,} graphs of {LINKS:,} links"
        loaded, _ = in_fresh_process(_load, str(graphs), store)
        yield [Figure(f"{name}: ingest, each", "CPU s", (loaded["seconds"] / count,), 0.12)]
        one_more = folder / f"{count}-more.json"
        write_graph(one_more, count)
        more, _ = in_fresh_process(_load, str(one_more), store)
        asked = [in_fresh_process(_ask, store)[0]["seconds"] for _ in range(repeat)]
        yield [
            Figure(f"{name}: one more", "CPU s", (more["seconds"],)),
            Figure(f"{name}: graphs_with", "CPU s", tuple(asked), 1.0),
        ]


def _load(path: str, store: str) -> dict[str, float]:
    """Return the CPU seconds of a load, imports left out."""
    import ingest.store.embedded  # noqa: F401
    from ingest.graph_loading import load_graphs

    start = time.process_time()
    for _ in load_graphs(path, store):
        pass
    return {"seconds": time.process_time() - start}


def _ask(store: str) -> dict[str, float]:
    """Return the CPU seconds of a question about a feature, opening the store included."""
    import ingest.store.embedded  # noqa: F401
    import queries

    start = time.process_time()
    with queries.open_graph(store) as graph:
        found = graph.query("graphs_with", layer=7, number=11, k=1000)
    assert found.records()
    return {"seconds": time.process_time() - start}
