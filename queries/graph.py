"""One run in a graph store, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ingest.store.closing import Closing
from lib_graph.errors import UsageError
from lib_graph.support import defaults
from lib_graph.support.arguments import checked, checked_class
from lib_graph.support.progress import USUAL, Progress
from lib_graph.support.showing import Display, Displayed
from lib_graph.support.texts import counted
from queries.asking.ablations import Ablations, find_ablations
from queries.asking.ends import find_ends
from queries.asking.labelling import label_feature
from queries.asking.library import ask, find_query
from queries.asking.listing import Sort, list_features, list_interactions, list_sections
from queries.asking.matching import matched_features
from queries.asking.one_feature import stored_feature
from queries.asking.places import Place, StoredLayer
from queries.asking.projecting import Engine, check_engine
from queries.asking.prompts import PromptGraph, read_prompt
from queries.asking.reader import Reader
from queries.asking.runs import RunInfo, choose_run, list_runs, run_meant, runs_table
from queries.asking.statements import Statement
from queries.asking.tables import Table
from queries.circuits.chosen import circuit_among, circuit_of_named
from queries.circuits.circuit import Circuit, circuit_from_pairs, circuit_from_shares
from queries.circuits.distinct import distinct_paths
from queries.circuits.growing import grow_circuit
from queries.circuits.overview import Overview, Ranked, find_overview, rank_interactions
from queries.circuits.paths import Paths, find_paths
from queries.circuits.projected import paths_of_gds
from queries.circuits.saved import SavedCircuits
from queries.circuits.unusual import find_other, unusual_interactions
from queries.modules.communities import Communities, find_communities, write_communities
from queries.modules.flow import ModuleFlow, module_flow
from queries.modules.graph import Weights
from queries.modules.modularity import Method
from queries.modules.table import ModuleTable, module_table

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

    from ingest.store import GraphStore, WriteResult
    from ingest.store.protocol import Bounds
    from lib_graph.run.feature import Feature
    from queries.comparing.runs import RunComparison
    from queries.notebook.page import PageView
    from queries.pictures.whole import Chart

__all__ = ["Graph", "open_graph"]


@checked
def open_graph(store: Any = None, run: str | None = None) -> Graph:
    """Return one run of a graph store, to ask questions of.

    store: a path, an address (`bolt://…`), an open store, a `py2neo.Graph`, or None for the
        default one (`LIB_GRAPH_STORE`, else `lib-graph.kgl` in the working folder).
    run: an id, the beginning of one, or a name; by default the newest complete run that is not of
        one input.

    Raises NotFoundError if there is no such run, UsageError if several fit or if a run folder is
    named, and StoreUnavailableError if the store cannot be used. A store that was opened here is
    closed by `Graph.close()` or at the end of a `with` block.
    """
    from ingest.store import open_store

    opened = open_store(store)
    try:
        return Graph(opened, run_meant(list_runs(opened), run), close=opened is not store)
    except BaseException:
        if opened is not store:
            opened.close()
        raise


@checked_class
class Graph(Closing, Displayed):
    """One complete run in a store. Made by `open_graph`.

    Where a place is asked for, 'LAYER' means a layer as a whole, 'LAYER/INDEX' or an id one
    feature.
    """

    def __init__(self, store: GraphStore, run: RunInfo, *, close: bool = False) -> None:
        self.store = store
        self.run = run
        self._close = close
        self._known = Reader(store, run.id, skips=run.prompt is not None)

    def __repr__(self) -> str:
        run = self.run
        size = f"{counted(run.features, 'feature')}, {counted(run.interactions, 'interaction')}"
        return f"<Graph of run {run.name} ({run.id}) in {self.store.name}: {size}>"

    def close(self) -> None:
        """Close the store if it was opened for this graph."""
        if self._close:
            self.store.close()

    @property
    def layers(self) -> tuple[StoredLayer, ...]:
        """The layers of the run, from the first to the last."""
        return self._known.layers

    @property
    def circuits(self) -> SavedCircuits:
        """The circuits that are saved with the run: save, load, compare, delete them."""
        return SavedCircuits(self.store, self.run.id, skips=self._known.skips)

    def runs(self) -> Table:
        """Return all complete runs of the store, the newest first: the fields of RunInfo."""
        return runs_table(self.store)

    def prompt(self) -> PromptGraph | None:
        """Return the prompt and the nodes of an attribution graph; None for a run over data."""
        return read_prompt(self._reader())

    def features(
        self, *, layer: str | None = None, sort: Sort = defaults.SORT, limit: int | None = None
    ) -> Table:
        """Return the features of a layer or of all: FEATURE_COLUMNS.

        sort: 'index' for layer and index, 'importance' or 'variance' for the largest first. limit:
        at most so many of them (None: all).

        Raises UsageError for another word or a limit of less than 1, NotFoundError for a layer
        that is not there.
        """
        return list_features(self._reader(), layer=layer, sort=sort, limit=limit)

    def interactions(
        self,
        *,
        source: str | None = None,
        target: str | None = None,
        min_strength: float = defaults.MIN_STRENGTH,
        limit: int = defaults.LIMIT,
        constants: bool = False,
    ) -> Table:
        """Return the strongest interactions: INTERACTION_COLUMNS, by falling strength.

        source, target: places; only interactions from, or into, there.
        constants: also those out of the constant features, which outweigh all others.
        `sections` gives all of them.

        Raises UsageError if the limit is less than 1 or the strength is no number, and what `place`
        raises.
        """
        return list_interactions(
            self._reader(),
            source=None if source is None else self.place(source),
            target=None if target is None else self.place(target),
            min_strength=min_strength,
            limit=limit,
            constants=constants,
        )

    def feature(self, feature: str, *, limit: int = defaults.SHOWN) -> Feature:
        """Return one feature with at most `limit` of its strongest inputs and outputs each.

        Its examples and histogram are in the run folder (`lib_graph.run.feature.read_feature`).

        Raises UsageError for a limit of less than 1 and for a place that is no feature,
        NotFoundError for one that is not there.
        """
        place = self._feature(feature)
        return stored_feature(
            self.run.id,
            place,
            self.features(layer=place.layer.name).frame,
            self.interactions(target=feature, limit=limit),
            self.interactions(source=feature, limit=limit),
        )

    def ranked(self, *, limit: int = defaults.VIEWED) -> Ranked:
        """Return the first interactions in the order in which a rising share keeps them.

        Raises UsageError for a limit of less than 1.
        """
        return rank_interactions(self._reader(), self.layers, limit=limit)

    def overview(
        self,
        *,
        share: float = defaults.KEPT,
        limit: int = defaults.VIEWED,
        ranked: Ranked | None = None,
    ) -> Overview:
        """Return the interactions that carry `share` of the strength of each section.

        At most `limit`, of all sections alike: `queries.circuits.overview`. ranked: what `ranked`
        returned, so that several shares need one ranking.

        Raises UsageError for a share or a limit that cannot be used.
        """
        ranked = ranked or self.ranked(limit=limit)
        return find_overview(self._reader(), ranked, share=share)

    def sections(self, *, min_strength: float = defaults.MIN_STRENGTH) -> Iterator[Table]:
        """Return all interactions, those of constant features too, a section at a time.

        The columns are INTERACTION_COLUMNS, by source and target. Raises UsageError if the strength
        is no number.
        """
        return list_sections(self._reader(), min_strength=min_strength)

    def unusual(
        self,
        *,
        against: str | None = None,
        min_share: float = defaults.MIN_SHARE,
        min_importance: float = defaults.LEAST_TARGET,
        limit: int = defaults.LIMIT,
    ) -> Table:
        """Return what this run uses that another over the same features does not.

        Of the interactions with at least `min_share` here, those that are stronger here by the
        largest factor: the columns of `queries.circuits.unusual`. Targets with less than
        `min_importance` of their layer's largest importance are left out. against: a run (default:
        the one whose features this run of one input has).

        Raises UsageError if the runs are not over the same features.
        """
        other = find_other(self.store, self.run, against)
        reader = self._reader()
        return unusual_interactions(
            reader, other, min_share=min_share, min_importance=min_importance, limit=limit
        )

    def matched(self, other: str) -> Table:
        """Return the features of this run and of another that are most like each other.

        The columns of `queries.asking.matching`. Raises NotFoundError for a run that is not there,
        UsageError for this run.
        """
        run = choose_run(list_runs(self.store), other)
        return matched_features(self._reader(), self.run, run)

    def paths(
        self,
        *,
        source: str | None = None,
        target: str | None = None,
        k: int = defaults.PATHS,
        distinct: int | None = None,
        min_importance: float = defaults.MIN_IMPORTANCE,
        engine: Engine = defaults.ENGINE,
    ) -> Paths:
        """Return the k strongest paths from one place to another, exactly.

        A path's strength is the product of its shares. source, target: places; by default the
        first and the last layer. Of a whole layer, features with less than `min_importance` times
        its largest importance are left out as ends; every output of a raw layer counts. distinct:
        of the paths at most so many take the same interaction (`queries.circuits.distinct`).
        engine: 'gds' has Graph Data Science find them, all but distinct ones.

        Raises NotFoundError for a place that is not there, UsageError for one that cannot end a
        path, or for an engine that the store does not have, and TransactionTooLargeError for more
        paths than a server has room for at once.
        """
        reader = self._reader()
        check_engine(reader, engine)
        start, end = find_ends(reader, source, target, min_importance)
        if engine == "gds":
            if distinct is not None:
                raise UsageError("Distinct paths are for the engine 'own'. Leave them out.")
            return paths_of_gds(reader, start, end, k=k, layers=len(self.layers))
        if distinct is not None:
            return distinct_paths(reader, start, end, k=k, most=distinct)
        return find_paths(reader, start, end, k=k, layers=len(self.layers))

    def circuit(
        self,
        *,
        target: str,
        source: str | None = None,
        min_share: float = defaults.MIN_SHARE,
        min_importance: float = defaults.MIN_IMPORTANCE,
    ) -> Circuit:
        """Return all that lies on a path to `target` whose every share is at least `min_share`.

        The paths start at `source`, by default in the first layer. Ends are as in `paths`.
        """
        reader = self._reader()
        start, end = find_ends(reader, source, target, min_importance)
        return circuit_from_shares(reader, start, end, min_share=min_share)

    def grow_circuit(
        self,
        *,
        target: str,
        source: str | None = None,
        size: int = defaults.SIZE,
        min_importance: float = defaults.MIN_IMPORTANCE,
    ) -> Circuit:
        """Return the circuit of `size` interactions that grows path by path to `target`.

        It begins with the strongest path, and what adds most to its flow, per interaction, comes
        next: docs/method.md §6. Where it has fewer, `query["shortfall"]` says why. Ends are as in
        `paths`.

        Raises UsageError for a size that is less than one path has.
        """
        reader = self._reader()
        start, end = find_ends(reader, source, target, min_importance)
        return grow_circuit(reader, start, end, size=size)

    def circuit_of(self, answer: Paths | Table) -> Circuit:
        """Return the circuit of the interactions in an answer of `paths` or `interactions`."""
        if isinstance(answer, Paths):
            pairs, query = answer.pairs(), answer.query
        else:
            frame = answer.frame
            pairs = list(zip(frame["source"], frame["target"], strict=True))
            query = {"interactions": len(pairs)}
        return circuit_from_pairs(self._reader(), query, pairs)

    def circuit_among(self, features: Sequence[str]) -> Circuit:
        """Return the circuit of all interactions among some features, constant ones left out.

        Raises UsageError if there is none, or for a place that is no feature, NotFoundError for
        one that is not there.
        """
        return circuit_among(self._reader(), [self.place(text) for text in features])

    def circuit_of_pairs(self, pairs: Sequence[tuple[str, str]]) -> Circuit:
        """Return the circuit of interactions that are named by their ends, source and target.

        Raises UsageError for a place that is no feature, NotFoundError for an interaction that is
        not there.
        """
        named = [(self.place(source), self.place(target)) for source, target in pairs]
        return circuit_of_named(self._reader(), named)

    def communities(
        self,
        *,
        method: Method = defaults.METHOD,
        weights: Weights = defaults.WEIGHTS,
        resolution: float = defaults.RESOLUTION,
        seed: int = defaults.SEED,
        null: int = defaults.UNSHUFFLED,
        engine: Engine = defaults.ENGINE,
    ) -> Communities:
        """Return the modules of the run: groups of features that interact more than by chance.

        method: 'leiden' or 'louvain'. weights: 'sqrt' (√strength), or 'log', which needs edge
        ablations. resolution: larger gives more and smaller modules. null: so many graphs without
        modules say what Q chance gives (`chance`). engine: 'gds' has Graph Data Science find them.

        Raises UsageError for what cannot be used, and for an engine that the store does not have.
        """
        return find_communities(
            self._reader(),
            self.layers,
            method=method,
            weights=weights,
            resolution=resolution,
            seed=seed,
            null=null,
            engine=engine,
        )

    def module_table(
        self,
        *,
        resolutions: Sequence[float] = (defaults.RESOLUTION,),
        method: Method = defaults.METHOD,
        weights: Weights = defaults.WEIGHTS,
        seed: int = defaults.SEED,
        seeds: int = defaults.SEEDS,
        null: int = defaults.SHUFFLED,
        min_importance: float = defaults.MIN_IMPORTANCE,
    ) -> ModuleTable:
        """Return how good the modules are at each resolution: see `queries.modules.table`.

        seeds: so many are compared. null: so many graphs without modules. min_importance: labels of
        features with less than that part of their layer's largest importance do not count.
        """
        return module_table(
            self._reader(),
            self.layers,
            resolutions=resolutions,
            method=method,
            weights=weights,
            seed=seed,
            seeds=seeds,
            null=null,
            min_importance=min_importance,
        )

    def module_flow(self, communities: Communities) -> ModuleFlow:
        """Return the graph of modules: what flows from each to each other."""
        return module_flow(communities, self.sections())

    def save_communities(self, communities: Communities) -> None:
        """Store modules of this run, in place of those that were found in the same way."""
        write_communities(self.store, communities)

    def ablations(self) -> Ablations | None:
        """Return what ablations of this run found, None where nothing was ablated."""
        return find_ablations(self._reader(), self.layers)

    def query(self, name: str, /, **parameters: Any) -> Table:
        """Return the rows of a named query, such as `query("hubs", k=5)`.

        `lib-graph queries` lists the names, `lib-graph queries NAME` says what each takes. Raises
        NotFoundError for a name that is not there, UsageError for a value that cannot be used.
        """
        return ask(self._reader(), find_query(name), parameters)

    def cypher(
        self,
        text: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        bounds: Bounds | None = None,
    ) -> Table:
        """Return the rows of a text that only reads. `$run` is this run unless it is given.

        bounds: how long it may take, and how many rows come back.
        """
        parameters = {"run": self.run.id, **(parameters or {})}
        return Table(self.store.frame(text, parameters, bounds), (Statement(text, parameters),))

    def write_cypher(self, text: str, parameters: Mapping[str, Any] | None = None) -> WriteResult:
        """Run a text that may write. `$run` is this run unless it is given."""
        return self.store.write(text, {"run": self.run.id, **(parameters or {})})

    def label(self, feature: str, text: str) -> None:
        """Write the label of a feature in the store; a run folder keeps its own.

        Raises UsageError for a place that is no feature, NotFoundError for one that is not there.
        """
        label_feature(self._reader(), self._feature(feature), text)

    def _feature(self, text: str) -> Place:
        place = self.place(text)
        if place.index is None:
            raise UsageError(f"{text!r} is a layer. Write LAYER/INDEX for a feature.")
        return place

    def place(self, text: str) -> Place:
        """Return the place that `text` names; see `queries.asking.places`."""
        return self._known.place(text)

    def plot(
        self,
        what: Chart | Circuit | Paths | Table,
        *,
        limit: int = defaults.DRAWN,
        title: str | None = None,
    ) -> Figure:
        """Return a picture of the whole run, or of an answer of this graph, coloured by module.

        limit: how many features of a layer are drawn, in a picture of the whole run.

        Raises UsageError for another word, and where there is nothing to draw.
        """
        from queries.pictures.circuit import draw_circuit
        from queries.pictures.whole import draw_run

        if isinstance(what, str):
            return draw_run(self, what, limit=limit, title=title)
        circuit = what if isinstance(what, Circuit) else self.circuit_of(what)
        name = title if title is not None else f"{self.run.name}: {circuit.name or 'circuit'}"
        return draw_circuit(circuit, communities=self.communities(), title=name)

    def compare(self, *others: str | Graph) -> RunComparison:
        """Return this run beside others: graphs, or runs of this store by id or name.

        Raises UsageError if none is named, NotFoundError for a run that is not there.
        """
        from queries.comparing.runs import compare_runs

        runs = list_runs(self.store)
        graphs = [
            each if isinstance(each, Graph) else Graph(self.store, choose_run(runs, each))
            for each in others
        ]
        return compare_runs([self, *graphs])

    def report(self, path: str | Path, *, progress: Progress = USUAL) -> None:
        """Write all that the store knows of this run as one HTML file.

        Raises ConflictError for a saved circuit of a graph that has changed.
        """
        from queries.report import Source, write_report

        write_report(Source(self, store=self.store.name), path, progress=progress)

    def show(self, *, share: float = defaults.KEPT, height: int = 640) -> PageView:
        """Return the page of this run, which a notebook shows: it needs no service and no network.

        It holds the interactions that carry most of the strength, `share` of it lit at first;
        'lib-graph serve' has all of them. `save(path)` writes it as one HTML file.

        Raises UsageError for a share that is none.
        """
        from queries.notebook.page import view_page

        return view_page(self, share=share, height=height)

    def _display(self) -> Display:
        from queries.notebook.answers import graph_display

        return graph_display(self)

    def _reader(self) -> Reader:
        return self._known.again()
