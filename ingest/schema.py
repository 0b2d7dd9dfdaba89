"""The graph as lib-graph writes it: its labels, relationship types, properties and keys.

    (:Run)-[:HAS_LAYER]->(:Layer)-[:FEEDS]->(:Layer)
    (:Layer)-[:HAS_FEATURE]->(:Feature)-[:INTERACTS]->(:Feature)
    (:Feature)-[:CONSTANT]->(:Feature), out of a constant feature: no share, no cost
    (:Community)<-[:IN_COMMUNITY]-(:Feature)        (:Circuit)-[:CONTAINS]->(:Feature)
    (:Feature)-[:MATCHES]->(:Feature), of two runs

Every node has a unique `id`. Readers look only at runs whose status is 'complete'.

A feature without a label has the label '' (not null): the embedded store answers a null `label`,
`name`, `title` or `type` with a name of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from lib_graph.run.prompt import NODE_COLUMNS

__all__ = [
    "CHECKPOINT",
    "CIRCUIT",
    "COMMUNITY",
    "CONSTANT",
    "CONSTRAINTS",
    "CONTAINS",
    "FEATURE",
    "FEATURE_INDEXES",
    "FEEDS",
    "GRAPH_VERSION",
    "HAS_FEATURE",
    "HAS_LAYER",
    "INTERACTS",
    "IN_COMMUNITY",
    "LAYER",
    "MATCHES",
    "NODE",
    "NODES",
    "RUN",
    "UNUSED_INDEXES",
    "NodeTable",
    "RelationshipTable",
]

GRAPH_VERSION = 2
"""What a Run node has as `schema_version`: 1 (none at all there) had interactions out of constant
features among INTERACTS, and the run's id and the source's layer on each of them."""


@dataclass(frozen=True)
class NodeTable:
    """Nodes of one label, whose first property is `id`."""

    label: str
    properties: tuple[str, ...]


@dataclass(frozen=True)
class RelationshipTable:
    """Relationships of one type from nodes of one label to nodes of one label."""

    type: str
    source: NodeTable
    target: NodeTable
    properties: tuple[str, ...] = ()


RUN = NodeTable(
    "Run",
    (
        "id",
        "schema_version",
        "name",
        "model",
        "basis",
        "base",
        "prompt",  # that of an attribution graph, null for a run over data
        "status",  # loading | complete | deleting
        "features",
        "interactions",
        "strength_total",  # of the run folder
        "strength_stored",  # of what the store holds
        "created",
        "loaded",
        "manifest",  # the text of manifest.json
    ),
)
LAYER = NodeTable("Layer", ("id", "run", "index", "name", "width", "features"))
"""Where a part of the graph was ablated, the run also has `ablations`, and layers `smallest_kept`
(`ingest.ablations`)."""

FEATURE = NodeTable(
    "Feature",
    (
        "id",
        "run",
        "layer",
        "layer_index",
        "index",
        "role",  # feature, constant, variance, error, carried, output; a prompt's: ingest.checking
        "importance",
        "variance",
        "label",
        "cost_from_inputs",  # least cost of a path from the first layer, null where there is none
        "cost_to_outputs",  # least cost of a path to the last layer, null where there is none
    ),
)
NODE = NodeTable("Feature", (*FEATURE.properties, *NODE_COLUMNS.names))
"""A feature of a run of one prompt: a node of an attribution graph."""

COMMUNITY = NodeTable(
    "Community",
    (
        "id",
        "run",
        "engine",  # who found it: own | gds
        "method",
        "weights",
        "resolution",
        "seed",
        "index",
        "size",
        "span",
    ),
)
CIRCUIT = NodeTable(
    "Circuit",
    (
        "id",
        "run",
        "name",
        "query",  # how it was found, as JSON
        "interactions",  # texts 'source id>target id'
        "score",  # of the model with only the circuit; null, as the next three, until it is tested
        "baseline",  # of the whole model
        "random_score",  # with random circuits of the same size
        "metric",  # what the scores are
        "answers",  # of a circuit that leads to some answers: all that its test found, as JSON
        "created",
    ),
)
CHECKPOINT = NodeTable("Checkpoint", ("id", "run", "made_from", "loader", "done", "rows"))
"""How far an unfinished load is; it is deleted when the run becomes complete."""

HAS_LAYER = RelationshipTable("HAS_LAYER", RUN, LAYER)
FEEDS = RelationshipTable("FEEDS", LAYER, LAYER)
HAS_FEATURE = RelationshipTable("HAS_FEATURE", LAYER, FEATURE)
INTERACTS = RelationshipTable(
    "INTERACTS",
    FEATURE,
    FEATURE,
    (
        "strength",
        "stderr",
        "effect",
        "share",  # positive: all of those into a feature sum to 1
        "cost",  # -ln share
    ),
)
CONSTANT = RelationshipTable(
    "CONSTANT",
    FEATURE,  # whose role is constant
    FEATURE,
    ("strength", "stderr", "effect"),
)
MATCHES = RelationshipTable(
    "MATCHES",
    FEATURE,  # of the run on whose data the two were compared
    FEATURE,
    (
        "correlation",
        "rank",  # of the target among the matches of the source, from 1
        "other_rank",  # of the source among the matches of the target, from 1
    ),
)
IN_COMMUNITY = RelationshipTable("IN_COMMUNITY", FEATURE, COMMUNITY)
CONTAINS = RelationshipTable("CONTAINS", CIRCUIT, FEATURE)

NODES = (RUN, LAYER, FEATURE, COMMUNITY, CIRCUIT, CHECKPOINT)
CONSTRAINTS = tuple(
    f"CREATE CONSTRAINT {table.label.lower()}_id IF NOT EXISTS "
    f"FOR (n:{table.label}) REQUIRE n.id IS UNIQUE"
    for table in NODES
)
FEATURE_INDEXES = (  # a text uses one only if it asks for all that the index is on
    "CREATE INDEX feature_run IF NOT EXISTS FOR (n:Feature) ON (n.run)",
    "CREATE INDEX feature_layer IF NOT EXISTS FOR (n:Feature) ON (n.run, n.layer_index)",
    "CREATE INDEX feature_number IF NOT EXISTS FOR (n:Feature) ON (n.depth, n.number)",
)
UNUSED_INDEXES = (  # of version 1: no text used them, and they cost half of a load
    "DROP INDEX interacts_strength IF EXISTS",
    "DROP INDEX feature_place IF EXISTS",
)
