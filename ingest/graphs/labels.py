"""What people have said of the nodes of a graph: labels, pins and supernodes.

They stand on the nodes (`clerp`) and in the saved view (qParams), where lists may be texts as a URL
has them. An entry that names no node, or is not as it should be, says nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ingest.graphs.nodes import Node
from lib_graph.run.labels import as_label

__all__ = ["node_labels", "pinned_ids", "supernodes"]


def node_labels(view: Mapping[str, Any], nodes: Sequence[Node]) -> list[str]:
    """Return the label that each node has been given, '' for none.

    The first there is of: its own, that of its feature in the view, the name of its supernode.
    """
    grouped = {name: label for label, names in supernodes(view) for name in names}
    named = dict(_pairs(view.get("clerps")))

    def label(node: Node) -> str:
        key = f"{node.layer.partition('.')[0]}_{node.feature}_{node.position}" if named else ""
        given = (node.label, named.get(key, ""), grouped.get(node.id, ""))
        return next(filter(None, map(as_label, filter(None, given))), "")

    return [label(node) for node in nodes]


def pinned_ids(view: Mapping[str, Any]) -> list[str]:
    """Return the ids that are pinned in a view.

    >>> pinned_ids({"pinnedIds": "a,b"}), pinned_ids({"pinnedIds": ["a", 3]})
    (['a', 'b'], ['a'])
    """
    pinned = view.get("pinnedIds")
    listed = pinned.split(",") if isinstance(pinned, str) else pinned
    return [name for name in _listed(listed) if isinstance(name, str) and name]


def supernodes(view: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Return the supernodes of a view: a label, which others may have, and the ids of its nodes.

    >>> supernodes({"supernodes": '[["say Austin", "24_5999_9", "24_6044_9"]]'})
    [('say Austin', ['24_5999_9', '24_6044_9'])]
    """
    return [(label, names) for label, *names in _texts(view.get("supernodes"))]


def _pairs(value: Any) -> Iterator[tuple[str, str]]:
    return ((each[0], each[1]) for each in _texts(value) if len(each) == 2)


def _texts(value: Any) -> list[list[str]]:
    """Return the lists of texts in a list, of which the first is not empty."""
    return [
        each
        for each in _listed(value)
        if isinstance(each, list) and each and all(isinstance(text, str) for text in each)
    ]


def _listed(value: Any) -> list[Any]:
    """Return a list, or the one that a text holds as JSON."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return []
    return value if isinstance(value, list) else []
