"""What a node of an attribution graph is, whichever tool wrote it: its role, layer and number.

FORMATS in circulation differ in how they write a layer, the number of a feature and an id; the
tables of docs/formats.md say how. A node's fields are checked here, and nowhere later.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lib_graph.run.prompt import LOGITS, cantor, from_cantor, usual_fields
from lib_graph.support.texts import json_text

__all__ = ["BadGraphError", "Node", "Numbering", "numbering_of", "read_node", "shown", "whole_text"]

COLUMNED = frozenset(
    {"node_id", "feature_type", "ctx_idx", "activation", "influence", "clerp"}
)  # fmt: skip
"""Fields of a node that have a column of their own in a run."""
USUAL = tuple(usual_fields("feature", "0", 0, 0, None))
"""Fields that follow from those, where they are as usual."""
EMBEDDING = "E"
ATTENTION = ".attn"
IDS = (  # (pattern, what it gives): ids that hold a feature's number, each tool's own
    re.compile(r"(?P<layer>\d+)_(?P<number>\d+)_(?P<position>\d+)"),
    re.compile(r"(?P<layer>\d+)_(?:cro|lor)_(?P<number>\d+)_(?P<position>\d+)"),
    re.compile(r"intermediate_(?P<position>\d+)_(?P<layer>\d+)_(?P<number>\d+)"),
)
TOKEN_ID = re.compile(r"[^_]+_(\d+)_(\d+)")
SAID = re.compile(r'[^"]*"(?P<token>.*)"[^"]*\(p=(?P<p>[0-9.eE+-]+)\)\s*', re.DOTALL)
DIGITS = (5, 6, 4, 7)  # of a feature's number in schema 0, the usual ones first
LARGEST = 2**62

Numbering = Callable[["Node"], int | None]


class BadGraphError(ValueError):
    """A node that is none; the text says what is missing or wrong."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node as the file has it, its fields checked."""

    id: str
    kind: str
    role: str
    layer: str
    depth: tuple[int, int]
    """Where its layer stands among all: number, and 0 for attention, 1 for the MLP."""
    position: int
    feature: int | None
    label: str
    token: str | None
    activation: float | None
    influence: float | None
    probability: float | None
    given: dict[str, Any] = field(repr=False)
    """Fields of USUAL as they stand in the file"""
    rest: str | None = field(repr=False)
    """All other fields that are none of COLUMNED, as JSON; in this form they take no more memory
    than in the file."""


def read_node(raw: Any) -> Node:
    """Return a node of a file. Raises BadGraphError if a field is missing or wrong."""
    if not isinstance(raw, dict):
        raise BadGraphError(f"a node is {shown(raw)}, not an object")
    name, kind = _text(raw, "node_id"), _text(raw, "feature_type")
    role = _role(kind)
    layer, depth = _layer(raw, role, kind, name)
    position = _integer(raw.get("ctx_idx"), "ctx_idx", name)
    if position is None or position < 0:
        raise BadGraphError(f"node {name!r} has no ctx_idx that is a position")
    label = raw.get("clerp")
    if not isinstance(label, str | None):
        raise BadGraphError(f"node {name!r} has the clerp {shown(label)}, not a text")
    label = whole_text(label or "")
    said = SAID.fullmatch(label) if role == "logit" else None
    probability = _number(raw, "token_prob", name) if role == "logit" else None
    if said and probability is None:
        probability = _parsed(said["p"])
    token = raw.get("token")
    return Node(
        name,
        kind,
        role,
        layer,
        depth,
        position,
        _integer(raw.get("feature"), "feature", name),
        label,
        said["token"] if said else whole_text(token) if isinstance(token, str) else None,
        _number(raw, "activation", name),
        _number(raw, "influence", name),
        probability,
        {key: raw[key] for key in USUAL if key in raw and not isinstance(raw[key], dict | list)},
        _rest(raw),
    )


def _rest(raw: dict[str, Any]) -> str | None:
    rest = {
        key: value
        for key, value in raw.items()
        if key not in COLUMNED and (key not in USUAL or isinstance(value, dict | list))
    }
    return json_text(rest) if rest else None


def whole_text(text: str) -> str:
    """Return a text that UTF-8 can hold: half a character becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def numbering_of(nodes: Sequence[Node]) -> tuple[str, Numbering]:
    """Return how a graph numbers its features, and what gives the number of one.

    An id that holds the number is believed where `feature` agrees in any of the ways: Cantor's
    pair (schema 1), the layer before so many digits (schema 0), the number alone. Of the other
    nodes it is the way that fits all of them; where several do, the first of these.
    """
    features = [n for n in nodes if n.role == "feature" and n.feature is not None]
    known = {way for n in features for way in _ways(n)}
    for name, number in _WAYS.items():
        if known and name not in known:
            continue
        if features and all(_fits(n, number(n)) for n in features):
            return name, _read_id_or(number)
    return "ids", _read_id_or(lambda node: node.feature)


def _read_id_or(number: Numbering) -> Numbering:
    def found(node: Node) -> int | None:
        if node.role in ("embedding", "logit"):
            match = TOKEN_ID.fullmatch(node.id)
            if match and int(match[2]) == node.position and node.id[0] not in "io":
                return int(match[1])
            return node.feature if node.role == "logit" else None
        if node.role != "feature":
            return None
        by_id = _by_id(node)
        return number(node) if by_id is None and node.feature is not None else by_id

    return found


def _by_id(node: Node) -> int | None:
    """Return the number in an id whose layer and position are the node's."""
    for pattern in IDS:
        if match := pattern.fullmatch(node.id):
            same = int(match["layer"]) == node.depth[0] and int(match["position"]) == node.position
            return int(match["number"]) if same and len(match["number"]) < 19 else None
    return None


def _ways(node: Node) -> list[str]:
    """Return the ways in which `feature` says what the id does."""
    number = _by_id(node)
    if number is None:
        return []
    return [name for name, way in _WAYS.items() if way(node) == number]


def _fits(node: Node, number: int | None) -> bool:
    return number is not None and number >= 0


def _cantor(node: Node) -> int | None:
    if node.feature is None or node.feature < 0:
        return None
    layer, number = from_cantor(node.feature)
    return number if layer == node.depth[0] and cantor(layer, number) == node.feature else None


def _decimal(digits: int) -> Numbering:
    def number(node: Node) -> int | None:
        rest = -1 if node.feature is None else node.feature - 10**digits * node.depth[0]
        return rest if 0 <= rest < 10**digits else None

    return number


_WAYS: dict[str, Numbering] = {
    "schema 1": _cantor,
    **{f"schema 0, {digits} digits": _decimal(digits) for digits in DIGITS},
    "plain": lambda node: node.feature,
}


def _role(kind: str) -> str:
    if "error" in kind:
        return "error"
    return kind if kind in ("embedding", "logit", "bias") else "feature"


def _layer(raw: dict[str, Any], role: str, kind: str, name: str) -> tuple[str, tuple[int, int]]:
    """Return the name of a node's layer, and its place: attention comes before the MLP."""
    if "layer" not in raw:
        raise BadGraphError(f"node {name!r} has no layer")
    if role == "embedding":
        return EMBEDDING, (-1, 0)
    if role == "logit":
        return LOGITS, (LARGEST, 0)
    value = raw["layer"]
    known = not isinstance(value, str) or _is_number(value)
    number = _integer(value, "layer", name) if known else None
    if number is None or not 0 <= number < 10**6:
        raise BadGraphError(f"node {name!r} has the layer {shown(value)}, not a number from 0")
    attention = kind.startswith("lorsa") or (role != "feature" and "_attn_" in name)
    return f"{number}{ATTENTION * attention}", (number, 0 if attention else 1)


def _is_number(value: Any) -> bool:
    """Return whether a value is a text of digits: frontends take those as numbers."""
    return isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 19


def _text(raw: dict[str, Any], key: str) -> str:
    value = raw.get(key)
    if not isinstance(value, str) or not value:
        of = f"node {raw['node_id']!r}" if isinstance(raw.get("node_id"), str) else "a node"
        raise BadGraphError(f"{of} has no {key}")
    return whole_text(value)


def _integer(value: Any, key: str, name: str) -> int | None:
    if value is None:
        return None
    if (isinstance(value, float) and value.is_integer()) or _is_number(value):
        value = int(value)
    if type(value) is not int or not -LARGEST < value < LARGEST:
        raise BadGraphError(f"node {name!r} has the {key} {shown(value)}, not a whole number")
    return value


def _number(raw: dict[str, Any], key: str, name: str) -> float | None:
    """Return a number, None for one that is missing, null, or none that is finite."""
    value = raw.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadGraphError(f"node {name!r} has the {key} {shown(value)}, not a number")
    if isinstance(value, int) and not -LARGEST < value < LARGEST:
        raise BadGraphError(f"node {name!r} has a {key} that is too large")
    return float(value) if math.isfinite(value) else None


def _parsed(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def shown(value: Any) -> str:
    """Return how a message shows a value, cut off if it is long."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
