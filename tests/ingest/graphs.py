"""What is in a store, all of it, in a form that can be compared; and what should be there."""

from __future__ import annotations

import itertools
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from ingest.store import GraphStore, open_store
from lib_graph.building.frames import shares
from lib_graph.run import Run
from lib_graph.run.writing import write_interactions
from lib_graph.support.files import file_sha256

Graph = tuple[list[dict[str, Any]], list[dict[str, Any]]]


def dump(store: GraphStore) -> Graph:
    """All nodes and all relationships, with labels or types and all properties."""
    nodes = store.execute("MATCH (n) RETURN labels(n)[0] AS label, n AS properties")
    relationships = store.execute(
        "MATCH (a)-[r]->(b) "
        "RETURN labels(a)[0] AS from, a.id AS source, type(r) AS type, b.id AS target, "
        "r AS properties"
    )
    return (
        sorted(nodes, key=lambda n: (n["label"], n["properties"]["id"])),
        sorted(relationships, key=lambda r: (r["type"], r["source"], r["target"])),
    )


def dump_at(target: str) -> Graph:
    with open_store(target) as store:
        return dump(store)


def undated(graph: Graph) -> Graph:
    """Without the time of loading, which is the one thing that differs between two loads."""
    nodes, relationships = graph
    return [_without(node, "loaded") for node in nodes], relationships


def _without(node: dict[str, Any], name: str) -> dict[str, Any]:
    return {**node, "properties": {k: v for k, v in node["properties"].items() if k != name}}


def expected(run: Run) -> Graph:
    """The graph of a run by the contract, row by row from its tables and by nothing of ingest.

    The potentials are left out: they have a test of their own.
    """
    layers = [
        {
            "id": f"{run.id}/{layer.name}", "run": run.id, "index": layer.index,
            "name": layer.name, "width": layer.width, "features": layer.features,
        }
        for layer in run.layers
    ]  # fmt: skip
    features = [_feature(row) for row in run.features.to_dict("records")]
    interactions = [_interaction(row) for row in run.interactions.to_dict("records")]
    total = math.fsum(row["properties"]["strength"] for row in interactions)
    manifest = run.manifest
    node = {
        "id": run.id, "schema_version": 2, "name": manifest.name, "model": manifest.model.name,
        "basis": manifest.basis, "base": manifest.base, "status": "complete",
        "features": sum(layer.features for layer in run.layers),
        "interactions": len(interactions), "strength_total": total, "strength_stored": total,
        "created": manifest.created,
        "manifest": (run.path / "manifest.json").read_text(encoding="utf-8"),
    }  # fmt: skip
    nodes = [("Run", node), *(("Layer", n) for n in layers), *(("Feature", n) for n in features)]
    relationships = [
        *(_link("Run", run.id, "HAS_LAYER", layer["id"]) for layer in layers),
        *(_link("Layer", a["id"], "FEEDS", b["id"]) for a, b in itertools.pairwise(layers)),
        *(_link("Layer", f"{run.id}/{f['layer']}", "HAS_FEATURE", f["id"]) for f in features),
        *interactions,
    ]
    return (
        sorted(
            ({"label": label, "properties": _known(node)} for label, node in nodes),
            key=lambda n: (n["label"], n["properties"]["id"]),
        ),
        sorted(relationships, key=lambda r: (r["type"], r["source"], r["target"])),
    )


def _feature(row: dict[str, Any]) -> dict[str, Any]:
    names = ("run", "layer", "layer_index", "index", "role", "importance", "variance")
    return {
        "id": f"{row['run']}/{row['layer']}/{row['index']}",
        **{name: row[name] for name in names},
        "label": "" if pd.isna(row["label"]) else row["label"],
    }


def _interaction(row: dict[str, Any]) -> dict[str, Any]:
    share = row["share"]
    constant = math.isnan(share)
    properties = {
        "strength": row["strength"], "stderr": row["stderr"], "effect": row["effect"],
        "share": share, "cost": math.nan if constant else round(0.0 - math.log(share), 12),
    }  # fmt: skip
    source, target = (
        f"{row['run']}/{row[f'{end}_layer']}/{row[end]}" for end in ("source", "target")
    )
    type = "CONSTANT" if constant else "INTERACTS"
    return {**_link("Feature", source, type, target), "properties": _known(properties)}


def _link(label: str, source: str, type: str, target: str) -> dict[str, Any]:
    return {"from": label, "source": source, "type": type, "target": target, "properties": {}}


def _known(properties: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is null: a graph has no such property."""
    return {name: value for name, value in properties.items() if not pd.isna(value)}


def comparable(graph: Graph) -> Graph:
    """A graph from a store in the form of `expected`, which knows a logarithm to 12 digits."""
    nodes, relationships = undated(graph)
    for name in ("cost_from_inputs", "cost_to_outputs"):
        nodes = [_without(node, name) for node in nodes]
    return nodes, [{**r, "properties": _rounded(r["properties"])} for r in relationships]


def _rounded(properties: dict[str, Any]) -> dict[str, Any]:
    return {n: round(value, 12) if n == "cost" else value for n, value in properties.items()}


def copy_with_strengths(run: Run, path: Path, change: Callable[[pd.DataFrame], None]) -> Run:
    """Write a run with the same id whose strengths `change` has changed; shares follow them."""
    shutil.copytree(run.path, path)
    table = run.interactions
    change(table)
    for _, rows in table.groupby("source_layer"):
        constant = rows.share.isna().to_numpy()
        share = shares(rows.strength.to_numpy(), rows.target.to_numpy(), constant)
        table.loc[rows.index, "share"] = share
    sections = (s for _, s in table.groupby("source_layer", sort=False))
    write_interactions(path / "interactions.parquet", sections, {})
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"]["interactions.parquet"] = file_sha256(path / "interactions.parquet")
    (path / "manifest.json").write_text(json.dumps(manifest))
    return Run.open(path)
