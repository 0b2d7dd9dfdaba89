"""Whether JSON is an attribution graph as the published schema and both frontends ask for it.

The facts are those of the schema of Neuronpedia (draft 07, 'Anthropic Attribution Graph' 1.0.0), of
what it checks besides, and of what the frontends take for granted: none comes from our own code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

__all__ = ["faults"]

TEXT, NUMBER, WHOLE, TRUTH = (str,), (int, float), (int,), (bool,)
NAME = re.compile(r"[a-zA-Z0-9_.-]+")
REQUIRED = {
    "": {"metadata": (dict,), "qParams": (dict,), "nodes": (list,), "links": (list,)},
    "metadata": {"slug": TEXT, "scan": TEXT, "prompt_tokens": (list,), "prompt": TEXT},
    "node": {
        "node_id": TEXT, "feature": (int, type(None)), "layer": (str, int), "ctx_idx": WHOLE,
        "feature_type": TEXT, "jsNodeId": TEXT, "clerp": TEXT,
    },
    "link": {"source": TEXT, "target": TEXT, "weight": NUMBER},
}  # fmt: skip
OPTIONAL = {
    "": {"qk_only_nodes": (dict,)},
    "metadata": {
        "node_threshold": NUMBER, "schema_version": WHOLE, "transcoder_list": (list,),
        "info": (dict,), "generation_settings": (dict,), "pruning_settings": (dict,),
        "feature_details": (dict,),
    },
    "node": {
        "influence": (*NUMBER, type(None)), "activation": (*NUMBER, type(None)),
        "token_prob": NUMBER, "is_target_logit": TRUTH, "run_idx": WHOLE,
        "reverse_ctx_idx": WHOLE,
    },
    "link": {},
}  # fmt: skip
KINDS = {
    "embedding", "cross layer transcoder", "mlp reconstruction error", "logit", "unexplored node",
    "lorsa", "lorsa error", "bias", "unknown",
}  # fmt: skip
LINK_TYPES = {"both", "either", "input", "output"}
VERSIONS = {0, 1}


def faults(graph: Any) -> list[str]:
    """Return what is wrong with a graph, [] if nothing is."""
    found = list(_fields("", graph))
    if found:
        return found
    found += [*_metadata(graph["metadata"]), *_view(graph["qParams"])]
    count = len(graph["metadata"]["prompt_tokens"])
    for number, node in enumerate(graph["nodes"]):
        found += [f"node {number}: {fault}" for fault in _node(node, count)]
    ids = {node.get("node_id") for node in graph["nodes"]}
    ends = set()
    for number, link in enumerate(graph["links"]):
        found += [f"link {number}: {fault}" for fault in _link(link, ids)]
        ends.add((link.get("source"), link.get("target")))
    if len(ends) < len(graph["links"]):
        found.append("a link is there twice")
    if not any(node.get("feature_type") == "logit" for node in graph["nodes"]):
        found.append("there is no logit")
    return found


def _fields(of: str, value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{of or 'the graph'} is no object"
        return
    for name, kinds in (REQUIRED[of] | OPTIONAL[of]).items():
        if name not in value:
            if name in REQUIRED[of]:
                yield f"{of} lacks {name}"
        elif not _is(value[name], kinds):
            yield f"{name} is {value[name]!r:.40}"


def _is(value: Any, kinds: tuple[type, ...]) -> bool:
    return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))


def _metadata(said: Any) -> Iterator[str]:
    yield from (found := list(_fields("metadata", said)))
    if found:
        return
    for name in ("slug", "scan"):
        if not NAME.fullmatch(said[name]):
            yield f"{name} is {said[name]!r}"
    if not all(isinstance(token, str) for token in said["prompt_tokens"]):
        yield "a token is no text"
    if said.get("schema_version", 0) not in VERSIONS:
        yield f"schema_version is {said['schema_version']}"


def _view(view: dict[str, Any]) -> Iterator[str]:
    if view.get("linkType", "both") not in LINK_TYPES:
        yield f"linkType is {view['linkType']!r}"
    if not isinstance(view.get("pinnedIds", []), list):
        yield "pinnedIds are no list"
    if not all(isinstance(text, str) for row in view.get("supernodes", []) for text in row):
        yield "supernodes are no lists of texts"


def _node(node: Any, tokens: int) -> Iterator[str]:
    yield from (found := list(_fields("node", node)))
    if found:
        return
    if node["feature_type"] not in KINDS:
        yield f"feature_type is {node['feature_type']!r}"
    if not 0 <= node["ctx_idx"] < tokens:
        yield f"ctx_idx {node['ctx_idx']} is none of {tokens} tokens"
    if isinstance(node["layer"], str) and not re.fullmatch(r"E|-?\d+", node["layer"]):
        yield f"layer is {node['layer']!r}"
    if node["feature_type"] == "logit" and not re.search(r"\(p=[\d.e-]+\)", node["clerp"]):
        yield f"the frontends find no probability in {node['clerp']!r}"


def _link(link: Any, ids: set[str | None]) -> Iterator[str]:
    yield from (found := list(_fields("link", link)))
    if not found and not {link["source"], link["target"]} <= ids:
        yield "it has an end that is no node"
