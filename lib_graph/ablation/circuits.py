"""A whole circuit, in all sections at once: what the network does with nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor

from lib_graph.ablation.bench import Bench
from lib_graph.ablation.bisection import bisect, check_reachable
from lib_graph.ablation.curves import RANDOM_ANSWERS, table_of
from lib_graph.ablation.masks import Edges, MaskedSection, edges_of
from lib_graph.errors import ConflictError, NotFoundError, UsageError
from lib_graph.progress import SILENT, Progress
from lib_graph.run import FeatureId, Run

__all__ = ["RANKS", "CircuitScore", "ablate_circuit", "read_circuit", "smallest_circuit"]

RANKS = ("strength", "share")
SAME = 1e-6  # the relative difference of strengths up to which a graph is the same
FEATURE_COLUMNS = [
    "id", "layer", "layer_index", "index", "role", "importance", "variance", "label",
]  # fmt: skip
INTERACTION_COLUMNS = [
    "source", "target", "strength", "stderr", "effect", "share", "source_label", "target_label",
]  # fmt: skip

Chosen = Mapping[str, Int[Tensor, " n"]]
"""source layer → the ranks of the interactions of a circuit among those of its section"""


@dataclass(frozen=True)
class CircuitScore:
    """What the network scores with a circuit alone, as it is, and with random circuits.

    `edges` counts interactions, those of the constant features left out, `nodes` the features that
    they are between. `random_score` is the mean over circuits with as many interactions in each
    section.
    """

    edges: int
    nodes: int
    score: float
    baseline: float
    random_score: float
    metric: str

    def row(self, bench: Bench) -> pd.DataFrame:
        """Return this as a row of ablation.parquet."""
        names = ("edges", "nodes", "score", "random_score")
        return table_of(
            bench, [{"kind": "circuit", **{name: getattr(self, name) for name in names}}]
        )

    def added_to(self, circuit: Mapping[str, Any]) -> dict[str, Any]:
        """Return a circuit with its scores, as JSON has it."""
        names = ("score", "baseline", "random_score", "metric")
        return {**circuit, **{name: getattr(self, name) for name in names}}


class _Interaction(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)

    source: str
    target: str
    strength: float


class _Circuit(BaseModel):
    """What a circuit's file must hold; it may hold more."""

    model_config = ConfigDict(extra="allow", frozen=True)

    run: str
    interactions: tuple[_Interaction, ...]


def read_circuit(path: Path) -> dict[str, Any]:
    """Return the circuit in a JSON file. Raises UsageError if it cannot be read as one."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{str(path)!r} cannot be read as JSON ({error}).") from error
    _checked(value)
    assert isinstance(value, dict)
    return value


def _checked(circuit: Any) -> _Circuit:
    try:
        return _Circuit.model_validate(circuit)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(
            f"This is no circuit: {'.'.join(map(str, first['loc']))}: {first['msg']}. "
            "'lib-graph export circuit --format json' writes one."
        ) from error


def ablate_circuit(
    bench: Bench,
    circuit: Mapping[str, Any],
    *,
    draws: int = 5,
    seed: int = 0,
    progress: Progress = SILENT,
) -> CircuitScore:
    """Return the scores of a circuit, given as JSON has it: run, interactions, ….

    In every section each feature is computed from the sources that the circuit keeps, which were
    computed so themselves; all else is at its mean. The constant features are always kept. Random
    circuits are drawn `draws` times and scored on up to RANDOM_ANSWERS answers.

    Raises UsageError if the circuit is empty or of another run, ConflictError if an interaction is
    not in the run or has another strength there.
    """
    edges = edges_of(bench.run)
    return _scored(bench, edges, _find(bench.run, edges, circuit), draws, seed, progress)


def _find(run: Run, edges: Mapping[str, Edges], circuit: Mapping[str, Any]) -> Chosen:
    """Return the interactions of a circuit in a run."""
    read = _checked(circuit)
    if read.run != run.id:
        raise UsageError(f"The circuit is of run {read.run!r}, not of {run.id!r}. Name its run.")
    found: dict[str, list[int]] = {layer: [] for layer in edges}
    for each in read.interactions:
        source, target = FeatureId.parse(each.source), FeatureId.parse(each.target)
        own = edges.get(source.layer)
        if own is not None and source.index < own.source.first_index:
            continue
        key = (source.index, target.index)
        adjacent = own is not None and (target.layer, source.run, target.run) == (
            own.target.name, run.id, run.id,
        )  # fmt: skip
        rank = own.rank.get(key) if own is not None and adjacent else None
        if own is None or rank is None:
            raise ConflictError(
                f"The interaction from {each.source!r} to {each.target!r} is not in run {run.id}. "
                "Find the circuit again."
            )
        strength = float(own.table["strength"].iloc[rank])
        if abs(strength - each.strength) > SAME * strength:
            raise ConflictError(
                f"The graph has changed since the circuit was found: from {each.source!r} to "
                f"{each.target!r} it has strength {each.strength:.6g}, in the run {strength:.6g}. "
                "Find the circuit again."
            )
        found[source.layer].append(rank)
    if not any(found.values()):
        raise UsageError(
            "The circuit is empty: it keeps no interaction, so there is nothing to test."
        )
    return {layer: torch.tensor(sorted(set(ranks))).long() for layer, ranks in found.items()}


def _scored(
    bench: Bench,
    edges: Mapping[str, Edges],
    chosen: Chosen,
    draws: int,
    seed: int,
    progress: Progress,
) -> CircuitScore:
    if draws < 1:
        raise UsageError(f"{draws} random circuits give no score. Draw at least 1.")
    generator = torch.Generator().manual_seed(seed)
    sampled = bench.sampled(RANDOM_ANSWERS)
    sizes = {layer: len(ranks) for layer, ranks in chosen.items()}
    with progress.stage("circuit", draws + 1) as advance:
        score = masked_score(bench, {layer: edges[layer].mask(chosen[layer]) for layer in edges})
        advance(1)
        random = []
        for _ in range(draws):
            masks = {
                layer: edges[layer].mask(edges[layer].shuffled(generator)[:n])
                for layer, n in sizes.items()
            }
            random.append(masked_score(sampled, masks))
            advance(1)
    nodes = {
        (layer, index)
        for own in edges.values()
        for layer, end in ((own.source.name, "source"), (own.target.name, "target"))
        for index in own.table[end].iloc[chosen[own.source.name].tolist()]
    }
    return CircuitScore(
        edges=sum(sizes.values()),
        nodes=len(nodes),
        score=score,
        baseline=bench.baseline,
        random_score=sum(random) / draws,
        metric=bench.metric.name,
    )


def masked_score(bench: Bench, masks: Mapping[str, Tensor]) -> float:
    """Return the score with a mask in every section, by the name of its source layer."""
    features = bench.features(bench.network.layers[0])
    for section in bench.network.sections:
        features = MaskedSection(bench, section, features)(masks[section.source.name])
    return bench.score(bench.network.layers[-1], features)


def smallest_circuit(
    bench: Bench,
    delta: float,
    *,
    rank: Literal["strength", "share"] = "strength",
    draws: int = 5,
    seed: int = 0,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Return a circuit that keeps the network's score up to `delta`, with scores, as JSON has it.

    All interactions of the run are ranked by strength or share. Bisection finds a number of the
    first of them that suffices; those into features that no other kept interaction reads, which
    change nothing, are then left out.

    Raises NotFoundError for another rank, UsageError if not even all interactions suffice, with the
    difference.
    """
    if rank not in RANKS:
        raise NotFoundError("rank", rank, RANKS, f"Choose one of {', '.join(RANKS)}.")
    edges = edges_of(bench.run)
    order = _ranked(edges, rank)

    def score(n: int) -> float:
        chosen = _first(edges, order, n)
        return masked_score(bench, {layer: edges[layer].mask(chosen[layer]) for layer in edges})

    check_reachable(bench.metric, delta, score(len(order)), bench.baseline, "the graph")
    with progress.stage("smallest circuit", len(order).bit_length()) as advance:

        def passes(n: int) -> bool:
            advance(1)
            return bench.metric.loss(score(n), bench.baseline) <= delta

        n = bisect(passes, len(order))
    chosen = _read_by_others(edges, _first(edges, order, n))
    query = {"keep_score": delta, "rank": rank}
    found = _scored(bench, edges, chosen, draws, seed, progress)
    return found.added_to(_json(bench.run, edges, chosen, query))


def _ranked(edges: Mapping[str, Edges], by: str) -> pd.DataFrame:
    """Return layer and rank within the section of all interactions, the first by `by` first."""
    tables = [
        pd.DataFrame({"layer": name, "rank": range(len(own)), "by": own.table[by].fillna(0.0)})
        for name, own in edges.items()
    ]
    return pd.concat(tables).sort_values("by", ascending=False, kind="stable")


def _first(edges: Mapping[str, Edges], order: pd.DataFrame, n: int) -> dict[str, Tensor]:
    first = order.iloc[:n]
    return {
        name: torch.from_numpy(np.sort(first["rank"][first["layer"] == name].to_numpy(np.int64)))
        for name in edges
    }


def _read_by_others(edges: Mapping[str, Edges], chosen: Chosen) -> Chosen:
    """Return the interactions whose target is an output or the source of another one."""
    kept: dict[str, Tensor] = {}
    readers: set[int] | None = None
    for name, own in reversed(list(edges.items())):
        targets = own.table["target"].iloc[chosen[name].tolist()]
        of_use = (
            np.ones(len(targets), bool) if readers is None else targets.isin(readers).to_numpy()
        )
        kept[name] = chosen[name][torch.tensor(of_use)]
        readers = set(own.table["source"].iloc[kept[name].tolist()])
    return kept


def _json(
    run: Run, edges: Mapping[str, Edges], chosen: Chosen, query: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a circuit as `lib-graph export circuit --format json` writes it."""
    features = run.features.assign(label=run.features["label"].fillna(""))
    features["id"] = _ids(run, features["layer"], features["index"])
    labels = dict(zip(features["id"], features["label"], strict=True))
    tables = []
    for name, own in edges.items():
        table = own.table.iloc[chosen[name].tolist()]
        for end in ("source", "target"):
            ids = _ids(run, table[f"{end}_layer"], table[end])
            table = table.assign(**{end: ids, f"{end}_label": [labels[each] for each in ids]})
        tables.append(table)
    interactions = pd.concat(tables)
    ends = {*interactions["source"], *interactions["target"]}
    return {
        "run": run.id,
        "query": dict(query),
        "features": _records(features[features["id"].isin(ends)][FEATURE_COLUMNS]),
        "interactions": _records(interactions[INTERACTION_COLUMNS]),
    }


def _ids(run: Run, layers: pd.Series[str], indices: pd.Series[int]) -> list[str]:
    return [str(FeatureId(run.id, *each)) for each in zip(layers, indices, strict=True)]


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as JSON has them: what is missing is null."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]
