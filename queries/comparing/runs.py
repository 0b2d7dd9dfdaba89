"""Runs side by side: ranks, sparsity of the interactions, edges required, matches, modules."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict

from lib_graph.errors import NotFoundError, StoreUnavailableError, UsageError
from lib_graph.support import defaults
from lib_graph.support.showing import Display, Displayed
from lib_graph.support.tables import Record, records_of
from queries.asking.reader import Reader
from queries.asking.statements import Statement, read_text
from queries.comparing.sparsity import Sparsity, section_sparsity
from queries.comparing.tokens import TOKEN_COLUMNS, token_rows
from queries.graph import Graph, open_graph
from queries.modules.graph import Weights

__all__ = ["RunComparison", "compare_runs", "layer_rows", "open_graphs"]

RUN_COLUMNS = (
    "run", "name", "model", "basis", "features", "interactions", "modularity", "null_mean",
    "null_sd", "stability", "modules", "labelled", "purity", "label_ari",
)  # fmt: skip
LAYER_COLUMNS = (
    "run", "name", "layer", "width", "pca_rank", "features", "interactions", "for_90", "for_99",
    "gini", "hoyer", "effective", "sources", "edges_required", "matched",
)  # fmt: skip
WHOLE = ("for_90", "for_99", "edges_required")


@dataclass(frozen=True, eq=False, repr=False)
class RunComparison(Displayed):
    """Runs side by side.

    `runs` has a row per run, RUN_COLUMNS; what they say of modules is explained at
    `queries.modules.table`. `layers` has a row per run and layer, LAYER_COLUMNS: width, PCA rank
    and features kept (the rank in the basis); and of the interactions out of the layer, those of
    the constant left out, their number and, where they skip no layers, the sparsity of their
    strengths (`queries.comparing.sparsity`), over all pairs of features, or of the most important
    ones where only those were asked for; a pair without an interaction counts as 0.
    `edges_required`, at the first δ, is there where the edges were ablated, and `matched` where the
    run is matched with the first one: the median, over the features that vary, of |r| with the one
    most like it there, on the first run's data if it was measured on them. `tokens` has what
    several traces and attribution graphs have at each piece of their text, TOKEN_COLUMNS, explained
    at `queries.comparing.tokens.token_rows`.
    """

    runs: pd.DataFrame
    layers: pd.DataFrame
    tokens: pd.DataFrame
    statements: tuple[Statement, ...] = ()

    def to_pandas(self) -> pd.DataFrame:
        """Return a row per run and layer."""
        return self.layers.copy()

    def json_value(self) -> Record:
        """Return runs and layers, and tokens where there are any."""
        tables = {"runs": self.runs, "layers": self.layers, "tokens": self.tokens}
        return {name: records_of(table) for name, table in tables.items() if len(table)}

    def _display(self) -> Display:
        from queries.notebook.answers import runs_compared_display

        return runs_compared_display(self)


class _LayerRanks(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    pca_rank: int


class _Manifest(BaseModel):
    """What is read of a run's manifest."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    layers: tuple[_LayerRanks, ...]


@contextmanager
def open_graphs(runs: Sequence[str], store: Any = None) -> Iterator[list[Graph]]:
    """Yield the graphs of runs: run folders, files of attribution graphs, or ids, their beginnings
    or names in a store.

    Folders and files are loaded into a store of their own, which is gone afterwards. Raises what
    `open_graph` and loading do; that there is no such run is a UsageError.
    """
    import ingest
    from ingest.graph_loading import load_graphs

    folders = {run for run in runs if Path(run).exists()}
    with ExitStack() as stack:
        loaded: dict[str, str] = {}
        if folders:
            own = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "runs.kgl"
            for folder in sorted(folders):
                if Path(folder).is_dir():
                    loaded[folder] = ingest.load(folder, own).run_id
                else:
                    (report,) = load_graphs(folder, own)
                    loaded[folder] = report.run_id
        yield [
            stack.enter_context(
                open_graph(own, loaded[run]) if run in loaded else _in_store(store, run)
            )
            for run in runs
        ]


def _in_store(store: Any, run: str) -> Graph:
    """Open a run of a store that might have been meant to be a folder."""
    try:
        return open_graph(store, run)
    except NotFoundError as error:
        raise UsageError(f"There is no run folder {run!r}. {error}") from error
    except StoreUnavailableError as error:
        raise StoreUnavailableError(f"There is no run folder {run!r}. {error}") from error


def compare_runs(
    graphs: Sequence[Graph],
    *,
    resolution: float = defaults.RESOLUTION,
    seed: int = defaults.SEED,
    seeds: int = defaults.SEEDS_EACH,
    null: int = defaults.SHUFFLED,
    weights: Weights = defaults.WEIGHTS,
    top: int | None = None,
) -> RunComparison:
    """Return runs side by side; modules are those of Leiden, as `Graph.module_table` has them.

    `top` takes the so many most important features of each layer alone where sparsity is measured,
    raw layers whole: a basis with fewer features is not sparser for that.

    Raises UsageError for fewer than two runs, or what cannot be used.
    """
    if len({graph.run.id for graph in graphs}) < 2:
        raise UsageError("One run cannot be compared. Name two or more.")
    if top is not None and top < 1:
        raise UsageError(f"top is {top}; sparsity is measured among at least 1 feature.")
    runs: list[Record] = []
    layers: list[Record] = []
    required, statements = _edges_required(graphs)
    for graph in graphs:
        found, texts = layer_rows(graph, top)
        matched, read = _matched(graph, graphs[0].run.id)
        modules = graph.module_table(
            resolutions=[resolution], seed=seed, seeds=seeds, null=null, weights=weights
        )
        info = graph.run
        own = {"run": info.id, "name": info.name}
        runs.append(
            {
                **own,
                "model": info.model,
                "basis": info.basis,
                "features": info.features,
                "interactions": sum(row["interactions"] for row in found),
                **records_of(modules.frame)[0],
            }
        )
        for row in found:
            more = {
                "edges_required": required.get((info.id, row["layer"])),
                "matched": matched.get(row["layer"]),
            }
            layers.append({**own, **row, **more})
        statements += [*texts, *read, *modules.statements]
    tokens, read = token_rows(graphs)
    return RunComparison(
        pd.DataFrame(runs)[list(RUN_COLUMNS)],
        pd.DataFrame(layers)[list(LAYER_COLUMNS)].astype(dict.fromkeys(WHOLE, "Int64")),
        pd.DataFrame(tokens, columns=list(TOKEN_COLUMNS)),
        (*statements, *read),
    )


def layer_rows(graph: Graph, top: int | None = None) -> tuple[list[Record], tuple[Statement, ...]]:
    """Return what is compared of each layer, and what was read for it.

    With `top`, interactions are those among the so many most important features of each layer.
    """
    reader = Reader(graph.store, graph.run.id)
    (row,) = reader.rows(read_text("run_manifest"))
    manifest = _Manifest.model_validate_json(row["manifest"])
    ranks = {layer.name: layer.pca_rank for layer in manifest.layers}
    features = graph.features().frame
    among = {
        layer.name: pd.Index(_first_features(features[features["layer"] == layer.name], top))
        for layer in graph.layers
    }
    rows = []
    for layer in graph.layers:
        targets = [each.name for each in graph.layers if each.index == layer.index + 1]
        count, sparse = 0, Sparsity(None, None, None, None, None)
        section = reader.frame(
            read_text("section_interactions"), layer=layer.index, min_strength=0.0
        )
        if graph.run.prompt is not None:  # interactions skip layers
            count = len(section)
        elif targets:
            count, sparse = section_sparsity(section, among[layer.name], among[targets[0]])
        rows.append(
            {
                "layer": layer.name,
                "width": layer.width,
                "pca_rank": ranks[layer.name],
                "features": layer.features,
                "interactions": count,
                **asdict(sparse),
            }
        )
    return rows, reader.statements


def _first_features(features: pd.DataFrame, top: int | None) -> pd.Series[str]:
    """Return the ids of a layer's most important features; all without `top`, and of outputs."""
    own = features[features["role"] != "constant"]
    if top is None or (own["role"] == "output").any():
        return own["id"]
    return own.sort_values("importance", ascending=False, kind="stable")["id"].iloc[:top]


def _edges_required(
    graphs: Sequence[Graph],
) -> tuple[dict[tuple[str, str], int], list[Statement]]:
    """Return the edges required by run and layer, at the first δ, and what was read for it.

    A run may also have been ablated beside another one (`--against`); its own ablations count more.
    """
    asked = [(graph.run.id, graph.ablations()) for graph in graphs]
    tables = [(run, ablations) for run, ablations in asked if ablations is not None]
    found: dict[tuple[str, str], int] = {}
    for own in (True, False):
        for run, ablations in tables:
            for row in records_of(ablations.of_kind("edges_required")):
                if (row["run"] == run) == own:
                    found.setdefault((row["run"], row["layer"]), row["edges"])
    return found, [statement for _, ablations in tables for statement in ablations.statements]


def _matched(graph: Graph, first: str) -> tuple[dict[str, float], tuple[Statement, ...]]:
    """Return, by layer, the median of the best |r| of the features with those of the first run."""
    reader = Reader(graph.store, graph.run.id)
    best = reader.frame(read_text("best_matches"), other=first)
    if (best["data"] == first).any():
        best = best[best["data"] == first]
    medians = best.groupby("layer")["correlation"].median()
    return dict(zip(medians.index.tolist(), medians.tolist(), strict=True)), reader.statements
