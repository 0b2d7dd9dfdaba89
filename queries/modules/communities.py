"""Modules of a run: groups of features that interact with each other more than by chance.

The graph they are found in is that of `queries.modules.graph`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lib_graph.errors import UsageError
from lib_graph.support import defaults
from lib_graph.support.showing import Display, Displayed
from lib_graph.support.tables import Record
from queries.asking.places import StoredLayer
from queries.asking.projecting import Engine, check_engine
from queries.asking.reader import Reader
from queries.asking.statements import Statement, read_text
from queries.modules.chance import UNASKED, Chance, Partition, chance_of, shuffled_graphs
from queries.modules.graph import ModuleGraph, Weights, read_module_graph
from queries.modules.modularity import METHODS, Method, contributions, modularity, number_by_size
from queries.modules.projected import communities_of_gds
from queries.modules.weighted import Floats

if TYPE_CHECKING:
    from ingest.store import GraphStore, Transaction

__all__ = [
    "Communities",
    "Community",
    "check_settings",
    "find_communities",
    "write_communities",
]

FOUND_BY = ("engine", "method", "weights", "resolution", "seed")
"""What tells one way of finding modules from another"""


@dataclass(frozen=True)
class Community:
    """One module. `span` counts its layers; `members` are feature ids, by layer and index.

    `labels` are (label, share), the largest first: the share of the module's importance that the
    members with this label have, the importances of each layer divided by their sum; where none is
    known, the share of the members.
    `contribution` is what it adds to Q, None where the engine does not say.
    """

    id: str
    index: int
    size: int
    span: int
    layers: tuple[str, ...]
    labels: tuple[tuple[str, float], ...]
    members: tuple[str, ...]
    contribution: float | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Communities(Displayed):
    """The modules of a run, the largest first, numbered from 1.

    `modularity` is Q at `resolution`, `modularity_at_1` is Q at 1, `chance` the Q at `resolution`
    that is found in the same way in graphs without modules, where that was asked for. `engine` says
    who found the modules. `features` has a row for each clustered feature: id, layer, layer_index,
    index, label, importance, community (the module's number).
    """

    run: str
    method: Method
    weights: Weights
    resolution: float
    seed: int
    modularity: float
    modularity_at_1: float
    communities: tuple[Community, ...]
    features: pd.DataFrame
    engine: Engine = defaults.ENGINE
    chance: Chance = UNASKED
    statements: tuple[Statement, ...] = ()

    def __len__(self) -> int:
        return len(self.communities)

    def membership(self) -> dict[str, int]:
        """Return the number of the module that each clustered feature (id) is in."""
        return dict(zip(self.features["id"], self.features["community"].tolist(), strict=True))

    def records(self) -> list[Record]:
        """Return a row per module; members are ids, and each label has its share."""
        return [
            {
                "id": each.id,
                "index": each.index,
                "size": each.size,
                "span": each.span,
                "layers": list(each.layers),
                "labels": [label for label, _ in each.labels],
                "label_shares": [share for _, share in each.labels],
                "members": list(each.members),
                "contribution": each.contribution,
            }
            for each in self.communities
        ]

    def to_pandas(self) -> pd.DataFrame:
        """Return a row per module: the fields of `records`."""
        columns = [
            "id", "index", "size", "span", "layers", "labels", "label_shares", "members",
            "contribution",
        ]  # fmt: skip
        return pd.DataFrame.from_records(self.records(), columns=columns)

    def json_value(self) -> Record:
        """Return all of it as JSON has it: how it was found, Q, and the modules."""
        keys = ("run", *FOUND_BY, "modularity", "modularity_at_1")
        return {
            **{key: getattr(self, key) for key in keys},
            "null": self.chance.null,
            "null_mean": self.chance.mean,
            "null_sd": self.chance.sd,
            "communities": self.records(),
        }

    def _display(self) -> Display:
        from queries.notebook.answers import communities_display

        return communities_display(self)


def find_communities(
    reader: Reader,
    layers: Sequence[StoredLayer],
    *,
    method: Method,
    weights: Weights,
    resolution: float,
    seed: int,
    null: int,
    engine: Engine = defaults.ENGINE,
) -> Communities:
    """Return the modules of a run, beside `null` graphs without modules.

    The same arguments give the same modules. engine: 'gds' has Graph Data Science find them
    (`queries.modules.projected`), without such graphs. Raises UsageError for a method, weights,
    resolution, seed, number of graphs or engine that cannot be used.
    """
    check_settings(method, resolution, seed, null)
    check_engine(reader, engine)
    resolution, seed = float(resolution), int(seed)  # they are in ids: 1 and 1.0 are one way
    if engine == "gds":
        if null:
            raise UsageError("Graphs without modules are for the engine 'own'. Leave them out.")
        found = communities_of_gds(
            reader, layers, method=method, weights=weights, resolution=resolution, seed=seed
        )
    else:
        graph = read_module_graph(reader, layers, weights)
        found = _partition(graph, method, resolution, seed, null)
    table = found.features.assign(community=found.community + 1)
    prefix = f"{reader.run}/{engine}/{method}/{weights}/{resolution!r}/{seed}"
    return Communities(
        run=reader.run,
        method=method,
        weights=weights,
        resolution=resolution,
        seed=seed,
        modularity=found.modularity,
        modularity_at_1=found.modularity_at_1,
        communities=tuple(
            _community(prefix, number, members, found.contributions)
            for number, members in table.assign(weight=_weight(table)).groupby("community")
        ),
        features=table,
        engine=engine,
        chance=found.chance,
        statements=reader.statements,
    )


def _partition(
    graph: ModuleGraph, method: Method, resolution: float, seed: int, null: int
) -> Partition:
    community = number_by_size(METHODS[method](graph.edges, resolution=resolution, seed=seed))
    parts = contributions(graph.edges, community, resolution)
    return Partition(
        graph.features,
        community,
        float(parts.sum()),
        modularity(graph.edges, community),
        chance_of(shuffled_graphs(graph, seed, null), method, resolution, seed),
        parts,
    )


def check_settings(method: str, resolution: float, seed: int, null: int) -> None:
    """Raise UsageError for a method, resolution, seed or number of graphs that cannot be used."""
    if method not in METHODS:
        raise UsageError(f"There is no method {method!r}. Take 'leiden' or 'louvain'.")
    if not np.finfo(float).tiny <= resolution < np.inf:  # Leiden takes what is less for 0
        raise UsageError(f"The resolution is {resolution}. Give a number above 0.")
    if not 0 <= seed < 2**32:
        raise UsageError(f"The seed is {seed}. Give a whole number from 0 to 4294967295.")
    if null < 0:
        raise UsageError(f"{null} shuffled graphs cannot be made. Take 0 or more.")


def _weight(features: pd.DataFrame) -> pd.Series[Any]:
    """Return each feature's importance over its layer's; all 1 where no importance is known."""
    importance = features["importance"].fillna(0.0)
    total = importance.groupby(features["layer_index"]).transform("sum")
    return (importance / total).fillna(0.0) if total.sum() > 0 else importance + 1.0


def _community(
    prefix: str, number: Any, members: pd.DataFrame, contributions: Floats | None
) -> Community:
    layers = tuple(dict.fromkeys(members["layer"]))
    return Community(
        id=f"{prefix}/{number}",
        index=int(number),
        size=len(members),
        span=len(layers),
        layers=layers,
        labels=_labels(members),
        members=tuple(members["id"]),
        contribution=None if contributions is None else float(contributions[number - 1]),
    )


def _labels(members: pd.DataFrame) -> tuple[tuple[str, float], ...]:
    share = members["weight"].groupby(members["label"]).sum() / max(members["weight"].sum(), 1e-300)
    found = [(str(label), float(x)) for label, x in share.items() if label]
    return tuple(sorted(found, key=lambda pair: (-pair[1], pair[0])))


def write_communities(store: GraphStore, found: Communities) -> None:
    """Store modules, in place of earlier ones of the same run that were found in the same way.

    The way is FOUND_BY: modules that were found in another one stay.
    """
    from ingest.schema import COMMUNITY, IN_COMMUNITY

    same = {name: getattr(found, name) for name in ("run", *FOUND_BY)}
    communities = pd.DataFrame(
        [{"id": c.id, "index": c.index, "size": c.size, "span": c.span} for c in found.communities],
        columns=["id", "index", "size", "span"],
    ).assign(**same)
    members = pd.DataFrame(
        [(member, c.id) for c in found.communities for member in c.members],
        columns=["source", "target"],
    )

    def replace(transaction: Transaction) -> None:
        transaction.execute(read_text("writing/delete_communities"), same)
        transaction.add_nodes(COMMUNITY, communities)
        transaction.add_relationships(IN_COMMUNITY, members)

    store.transact(replace)
