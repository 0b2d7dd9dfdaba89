"""Graphs as XML: GraphML for networkx, igraph, Gephi, yEd and Cytoscape; GEXF for Gephi."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import IO, Any
from xml.sax.saxutils import XMLGenerator
from xml.sax.xmlreader import AttributesImpl

from lib_graph.support.tables import Record
from queries.export.drawn import DrawnGraph

__all__ = ["write_gexf", "write_graphml"]

GRAPHML = {"xmlns": "http://graphml.graphdrawing.org/xmlns"}
GEXF = {
    "xmlns": "http://www.gexf.net/1.2draft", "xmlns:viz": "http://www.gexf.net/1.2draft/viz",
    "version": "1.2",
}  # fmt: skip
LEAST = sys.float_info.min  # igraph refuses a file with a number below
TYPES = {"graphml": {bool: "boolean", int: "long", float: "double", str: "string"},
         "gexf": {bool: "boolean", int: "long", float: "double", str: "string"}}  # fmt: skip


class _Writer:
    """Elements in each other, one a line."""

    def __init__(self, file: IO[bytes]) -> None:
        self._xml = XMLGenerator(file, encoding="utf-8", short_empty_elements=True)
        self._xml.startDocument()
        self._depth = 0

    def open(self, name: str, attributes: Mapping[str, str] | None = None) -> None:
        self._line()
        self._xml.startElement(name, AttributesImpl(dict(attributes or {})))
        self._depth += 1

    def close(self, name: str) -> None:
        self._depth -= 1
        self._line()
        self._xml.endElement(name)

    def leaf(self, name: str, attributes: Mapping[str, str], text: str = "") -> None:
        self._line()
        self._xml.startElement(name, AttributesImpl(dict(attributes)))
        if text:
            self._xml.characters(text)
        self._xml.endElement(name)

    def _line(self) -> None:
        self._xml.ignorableWhitespace("\n" + " " * self._depth)


def write_graphml(graph: DrawnGraph, file: IO[bytes]) -> None:
    """Write a graph as GraphML, what it is of as attributes of the graph."""
    xml, types = _Writer(file), TYPES["graphml"]
    xml.open("graphml", GRAPHML)
    keys = {
        kind: {name: (f"{kind[0]}{i}", type) for i, (name, type) in enumerate(_types(rows).items())}
        for kind, rows in _parts(graph).items()
    }
    for kind, named in keys.items():
        for name, (key, type) in named.items():
            xml.leaf("key", {"id": key, "for": kind, "attr.name": name, "attr.type": types[type]})
    xml.open("graph", {"edgedefault": "directed"})
    _data(xml, graph.about, keys["graph"])
    for node in graph.nodes:
        xml.open("node", {"id": node["id"]})
        _data(xml, node, keys["node"])
        xml.close("node")
    for edge in graph.edges:
        xml.open("edge", {"source": edge["source"], "target": edge["target"]})
        _data(xml, edge, keys["edge"])
        xml.close("edge")
    xml.close("graph")
    xml.close("graphml")


def _data(xml: _Writer, row: Record, keys: Mapping[str, tuple[str, type]]) -> None:
    for name, (key, type) in keys.items():
        if name in row:
            xml.leaf("data", {"key": key}, _text(row[name], type))


def write_gexf(graph: DrawnGraph, file: IO[bytes]) -> None:
    """Write a graph as GEXF 1.2draft, with positions, and what it is of as the description."""
    xml, types = _Writer(file), TYPES["gexf"]
    xml.open("gexf", GEXF)
    xml.open("meta")
    xml.leaf("creator", {}, "lib-graph")
    about = "; ".join(f"{name}: {value}" for name, value in graph.about.items())
    xml.leaf("description", {}, about)
    xml.close("meta")
    xml.open("graph", {"defaultedgetype": "directed", "mode": "static"})
    keys = {}
    beside = {"node": ("label", "x", "y"), "edge": ("weight",)}
    for kind in ("node", "edge"):
        named = _types(_parts(graph)[kind])
        keys[kind] = {name: type for name, type in named.items() if name not in beside[kind]}
        xml.open("attributes", {"class": kind, "mode": "static"})
        for name, type in keys[kind].items():
            xml.leaf("attribute", {"id": name, "title": name, "type": types[type]})
        xml.close("attributes")
    xml.open("nodes")
    for node in graph.nodes:
        xml.open("node", {"id": node["id"], "label": node["label"]})
        _values(xml, node, keys["node"])
        xml.leaf("viz:position", {"x": _text(node["x"], float), "y": _text(-node["y"], float),
                                  "z": "0.0"})  # fmt: skip
        xml.close("node")
    xml.close("nodes")
    xml.open("edges")
    for number, edge in enumerate(graph.edges):
        ends = {name: edge[name] for name in ("source", "target")}
        weight = _text(edge["weight"], float)
        xml.open("edge", {"id": str(number), **ends, "weight": weight})
        _values(xml, edge, keys["edge"])
        xml.close("edge")
    xml.close("edges")
    xml.close("graph")
    xml.close("gexf")


def _values(xml: _Writer, row: Record, types: Mapping[str, type]) -> None:
    found = {name: type for name, type in types.items() if name in row}
    if found:
        xml.open("attvalues")
        for name, type in found.items():
            xml.leaf("attvalue", {"for": name, "value": _text(row[name], type)})
        xml.close("attvalues")


def _parts(graph: DrawnGraph) -> dict[str, Sequence[Record]]:
    return {"graph": [graph.about], "node": graph.nodes, "edge": graph.edges}


def _types(rows: Sequence[Record]) -> dict[str, type]:
    """Return the attributes of some rows and their types, but for ids and ends."""
    found: dict[str, type] = {}
    for row in rows:
        for name, value in row.items():
            if name not in found and name not in ("id", "source", "target"):
                found[name] = type(value)
    return found


def _text(value: Any, type: type) -> str:
    """Return a value as XML Schema writes it."""
    if type is bool:
        return "true" if value else "false"
    if type is float:
        number = float(value) if abs(float(value)) >= LEAST else 0.0
        return {float("inf"): "INF", float("-inf"): "-INF"}.get(number, repr(number))
    return str(value)
