"""What a run of one prompt has beside any other: tokens, positions, the numbers of features.

Such a run is an attribution graph that another tool has made (docs/formats.md). Its features are
nodes, one for each feature at each position, its interactions may skip layers, and an index is that
of one node in the whole run. What is as circuit-tracer writes it need not be kept word by word:
`usual_fields` says it again.
"""

from __future__ import annotations

from math import isqrt
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

__all__ = [
    "LOGITS",
    "NODE_COLUMNS",
    "PromptInfo",
    "cantor",
    "from_cantor",
    "made_label",
    "usual_fields",
]

LOGITS = "logits"
"""The name of the last layer of such a run; in the files it has a number that varies"""

NODE_COLUMNS = pa.schema(
    [
        ("node", pa.string()),  # node_id of the file
        ("kind", pa.string()),  # feature_type of the file
        ("depth", pa.int32()),  # number of its layer in the model; embeddings, logits have none
        ("position", pa.int32()),
        ("number", pa.int64()),  # of the feature in its dictionary, or of the token
        ("token", pa.string()),  # at the position; of a logit, the token that it is of
        ("activation", pa.float64()),
        ("influence", pa.float64()),  # as the file has it: see docs/formats.md
        ("probability", pa.float64()),  # of a logit's token
        ("extra", pa.string()),  # what else the file says of the node, as JSON
    ]
)
"""What a node has beside the columns of any feature."""


class PromptInfo(BaseModel):
    """What an attribution graph is of, and all that its file says beside nodes and links.

    `format` is whose layout it has, `metadata` and `view` (its qParams) are as they stand there,
    `extra` is what else stands beside them. `notes` say what had to be decided.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str
    slug: str
    scan: str
    text: str
    tokens: tuple[str, ...]
    metadata: dict[str, Any] = {}
    view: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    notes: tuple[str, ...] = ()


def cantor(layer: int, number: int) -> int:
    """Return the one number that stands for a layer and a feature's number in files of schema 1.

    >>> cantor(18, 5495)
    15204836
    """
    return (layer + number) * (layer + number + 1) // 2 + number


def from_cantor(value: int) -> tuple[int, int]:
    """Return layer and number, in whole numbers: a square root of floats is off by one near 2^53.

    >>> from_cantor(15204836)
    (18, 5495)
    """
    both = (isqrt(8 * value + 1) - 1) // 2
    number = value - both * (both + 1) // 2
    return both - number, number


def made_label(role: str, number: int | None, token: str) -> str:
    """Return the label of a node that nobody has labelled, in one line.

    >>> made_label("feature", 5495, " Dallas"), made_label("error", None, "⏎")
    ('5495 at "Dallas"', 'error at "⏎"')
    """
    word = " ".join("".join(c for c in token if c.isprintable() or c.isspace()).split())
    if role in ("embedding", "logit"):
        return f'"{word}"'
    return f'{role if number is None else number} at "{word}"'


def usual_fields(
    role: str, layer: str, number: int | None, position: int, probability: float | None
) -> dict[str, Any]:
    """Return the fields of a node that follow from the others, as circuit-tracer writes them.

    >>> usual_fields("feature", "18", 5495, 9, None)["jsNodeId"]
    '18_5495-0'
    """
    fields = {
        "layer": layer,
        "run_idx": 0,
        "reverse_ctx_idx": 0,
        "is_target_logit": False,
        "token_prob": probability or 0.0,
    }
    if role == "embedding":
        return {**fields, "feature": position, "jsNodeId": f"E_{number}-{position}"}
    if role == "logit":
        return {**fields, "feature": number, "jsNodeId": f"L_{number}-{position}"}
    if number is None or not layer.isdecimal():
        return {**fields, "feature": -1, "jsNodeId": f"{layer}_{position}-0"}
    return {**fields, "feature": cantor(int(layer), number), "jsNodeId": f"{layer}_{number}-0"}
