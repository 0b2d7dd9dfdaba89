"""Does a basis help on language models? The runs, and what each of them says to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pandas as pd
import pyarrow as pa

import ingest
from lib_graph.analysis.measuring.budget import Budget
from lib_graph.analysis.measuring.cases import (
    BASE,
    BASES,
    Lessons,
    StudyCase,
    cases_of,
    check_bases,
    run_of,
)
from lib_graph.analysis.measuring.predicting import TokenPredictor
from lib_graph.analysis.measuring.requiring import required_edges
from lib_graph.analysis.measuring.study import (
    cross_entropy,
    language_model,
    predictions,
    rebuildings,
    sparsities,
)
from lib_graph.analysis.reopening import Reopened, in_bases_of, reopened_network
from lib_graph.data.text import Text
from lib_graph.errors import UsageError
from lib_graph.networks import Subject
from lib_graph.run import Run
from lib_graph.run.ablations import smallest_kept
from lib_graph.run.answers import answered
from lib_graph.run.kept import graph_of
from lib_graph.support import defaults
from lib_graph.support.files import write_json
from lib_graph.support.progress import SILENT, Progress
from queries.comparing.rebuilt import rebuilt_rows
from queries.comparing.study_tables import (
    Answers,
    Study,
    contrast_rows,
    level_rows,
    module_rows,
    required_rows,
    seed_rows,
)
from queries.graph import open_graph
from queries.modules.graph import Weights

__all__ = ["QUESTIONS", "Budget", "Lessons", "study", "write_study"]

STORE = "lib-graph.kgl"
MODULES = pa.schema(
    [
        ("weights", pa.string()),
        ("modularity", pa.float64()),
        ("null_mean", pa.float64()),
        ("null_sd", pa.float64()),
        ("null", pa.int64()),
        ("stability", pa.float64()),
        ("modules", pa.int64()),
    ]
)
QUESTIONS = (
    "What are the graphs?",
    "Are the interactions sparser, and would one probe a sequence have shown it?",
    "Do the words around predict the features?",
    "How many edges does the network need?",
    "Are there modules?",
)


@dataclass(frozen=True)
class _Network:
    """A network, and its run in each basis."""

    subject: Subject
    runs: dict[StudyCase, Run]

    @property
    def top(self) -> int:
        """The features that all layers have in all bases, at the least: the equal rank."""
        layers = [layer for run in self.runs.values() for layer in run.layers]
        return min(layer.features for layer in layers if layer.kind != "raw")

    def opened(self) -> Iterator[tuple[StudyCase, Run, Reopened]]:
        """Yield the network in each basis; it is cut once."""
        found = None
        for case, run in self.runs.items():
            if found is None:
                found = reopened_network(run, self.subject)
            else:
                found = in_bases_of(found, run)
            yield case, run, found


def study(
    models: Sequence[str],
    text: Text,
    out: Path,
    *,
    bases: Sequence[str] = BASES[:-1],
    seeds: int = defaults.TIMES,
    budget: Budget | None = None,
    lessons: Lessons | None = None,
    partitions: int = defaults.TIMES,
    null: int = defaults.NULL,
    replace: bool = False,
    progress: Progress = SILENT,
) -> Study:
    """Return what the graphs of language models say in each basis, beside PCA.

    `models` are folders or names on the hub. Runs go to folders of `out`, with all that is found of
    them; what is there already is not made again. Of the basis random, and of dictionaries, there
    are so many `seeds`; modules are found so many times (`partitions`), and in so many graphs
    without any (`null`). Dictionaries cannot be ablated, and modules are not looked for in theirs.
    After each network all that is known is written to `out` (`write_study`).

    Raises UsageError for too few tokens, a δ that the whole graph does not keep, or no PCA among
    the bases, or nothing beside it; NotFoundError for a basis; ModelError for a network that cannot
    be had, or a dictionary that explains nothing; ConflictError where another run is in a folder,
    unless `replace`.
    """
    budget, lessons = budget or Budget(), lessons or Lessons()
    _check(models)
    check_bases(bases, seeds)
    subjects = {Path(model).name: language_model(model, text) for model in models}
    answers = []
    for name, subject in subjects.items():
        runs = {}
        for case in cases_of(name, bases, seeds):
            _say(progress, 0, case)
            runs[case] = run_of(case, subject, out, lessons, replace=replace, progress=progress)
        network = _Network(subject, runs)
        answers.append(_answers(network, out, budget, partitions, null, progress))
        write_study(_joined(answers), out)
    return _joined(answers)


def _joined(answers: Sequence[tuple[pd.DataFrame, ...]]) -> Study:
    """Return the tables of all networks, one below the other."""
    return Study(*(pd.concat(frames, ignore_index=True) for frames in zip(*answers, strict=True)))


def _check(models: Sequence[str]) -> None:
    names = [Path(model).name for model in models]
    if len(set(names)) < len(names):
        raise UsageError(f"Two models are called the same: {', '.join(names)}. Rename a folder.")


def _say(progress: Progress, question: int, case: StudyCase) -> None:
    progress.say(f"[{question + 1}/{len(QUESTIONS)}] {QUESTIONS[question]} {case.name}")


def _answers(
    network: _Network,
    out: Path,
    budget: Budget,
    partitions: int,
    null: int,
    progress: Progress,
) -> tuple[pd.DataFrame, ...]:
    """Return the tables of one network, in the order of those of a study."""
    sparse: Answers = {}
    predicted: Answers = {}
    told: Answers = {}
    required: Answers = {}
    modules: Answers = {}
    predictor = TokenPredictor.of(network.subject.inputs[0])
    for case, run, opened in network.opened():
        _say(progress, 1, case)
        sparse[case.called] = sparsities(run, opened, network.top, budget, progress)
        told[case.called] = rebuildings(run, opened)
        _say(progress, 2, case)
        predicted[case.called] = predictions(run, opened, predictor, network.top, budget, progress)
    linear = {case: run for case, run in network.runs.items() if case.expansion is None}
    for case, run in linear.items():
        _say(progress, 3, case)
        required[case.called] = required_edges(run, network.subject, budget, progress)
    for case, run in linear.items():
        _say(progress, 4, case)
        modules[case.called] = _modules(out / STORE, run, partitions, null, progress)
    name = next(iter(network.runs)).network
    contrasts = pd.concat(
        [contrast_rows(name, found, BASE) for found in (sparse, predicted)], ignore_index=True
    )
    needed, modular = required_rows(name, required), module_rows(name, modules)
    return (
        pd.DataFrame([{"network": name, **cross_entropy(network.subject)}]),
        level_rows(name, sparse), contrasts, _rebuilt(network, told),
        needed, modular, level_rows(name, predicted), seed_rows(contrasts, needed, modular),
    )  # fmt: skip


def _rebuilt(network: _Network, told: Answers) -> pd.DataFrame:
    """Return each dictionary beside the bases at equal reconstruction."""
    runs = {case.called: run for case, run in network.runs.items()}
    dictionaries = [case.called for case in network.runs if case.expansion is not None]
    return rebuilt_rows(next(iter(network.runs)).network, runs, told, dictionaries)


def _modules(store: Path, run: Run, partitions: int, null: int, progress: Progress) -> pd.DataFrame:
    """Return a row for either kind of weights."""

    def make() -> pd.DataFrame:
        ingest.load(run, store, replace=True, progress=progress)
        rows = []
        with open_graph(store, run.id) as graph:
            for weights in get_args(Weights):
                table = graph.module_table(
                    weights=weights, resolutions=[1.0], seeds=partitions, null=null
                )
                rows.append(table.frame.assign(weights=weights, null=null))
        return pd.concat(rows, ignore_index=True)

    origin = {
        **graph_of(run), "partitions": partitions, "null": null, "smallest_kept": smallest_kept(run)
    }  # fmt: skip
    return answered(run.path / "modules.parquet", MODULES, origin, make)


def write_study(found: Study, out: Path) -> None:
    """Write results.json, which has all tables, and the pictures, as SVG, into a folder."""
    from queries.pictures.figures import save_figure
    from queries.pictures.study import study_pictures

    write_json(out / "results.json", found.json_value())
    for name, figure in study_pictures(found).items():
        save_figure(figure, out / f"{name}.svg")
