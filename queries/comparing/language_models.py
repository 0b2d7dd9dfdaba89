"""Does a basis help on language models? The runs, and what each of them says to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pandas as pd

import ingest
from lib_graph.analysis.measuring.predicting import TokenPredictor
from lib_graph.analysis.measuring.study import (
    Budget,
    cross_entropy,
    language_model,
    predictions,
    required_edges,
    sparsities,
)
from lib_graph.analysis.reopening import Reopened, in_bases_of, reopened, reopened_network
from lib_graph.building.build import build
from lib_graph.building.options import Options
from lib_graph.data.text import Text
from lib_graph.errors import NotFoundError, UsageError
from lib_graph.networks import Subject
from lib_graph.run import Run
from lib_graph.support import defaults
from lib_graph.support.files import write_json
from lib_graph.support.progress import SILENT, Progress
from queries.comparing.study_tables import (
    Answers,
    Study,
    contrast_rows,
    level_rows,
    module_rows,
    required_rows,
)
from queries.graph import open_graph
from queries.modules.graph import Weights

__all__ = ["BASES", "QUESTIONS", "Budget", "StudyCase", "study", "write_study"]

BASES = ("pca", "lib", "random", "neuron", "global")
BASE = "pca"  # what all others are held against
STORE = "lib-graph.kgl"
QUESTIONS = (
    "What are the graphs?",
    "Are the interactions sparser, and would one probe a sequence have shown it?",
    "Do the words around predict the features?",
    "How many edges does the network need?",
    "Are there modules?",
)


@dataclass(frozen=True)
class StudyCase:
    """A network in a basis; a random one has a seed."""

    network: str
    basis: str
    seed: int = 0

    @property
    def called(self) -> str:
        """What the basis is called in tables."""
        return f"random {self.seed}" if self.basis == "random" else self.basis

    @property
    def name(self) -> str:
        """What the run and its folder are called."""
        return f"{self.network}-{self.called.replace(' ', '-')}"


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
    partitions: int = defaults.TIMES,
    null: int = defaults.NULL,
    replace: bool = False,
    progress: Progress = SILENT,
) -> Study:
    """Return what the graphs of language models say in each basis, beside PCA.

    `models` are folders or names on the hub. Runs go to folders of `out`, with all that is found of
    them; what is there already is not made again. Of the basis random there are so many `seeds`;
    modules are found so many times (`partitions`), and in so many graphs without any (`null`).

    Raises UsageError for too few tokens, a δ that the whole graph does not keep, or no PCA among
    the bases; NotFoundError for a basis; ModelError for a network that cannot be had; ConflictError
    where another run is in a folder, unless `replace`.
    """
    budget = budget or Budget()
    _check(models, bases, seeds)
    subjects = {Path(model).name: language_model(model, text) for model in models}
    answers = []
    for name, subject in subjects.items():
        cases = [
            StudyCase(name, basis, seed)
            for basis in bases
            for seed in range(seeds if basis == "random" else 1)
        ]
        runs = {}
        for case in cases:
            _say(progress, 0, case)
            runs[case] = _run(case, subject, out / case.name, replace, progress)
        network = _Network(subject, runs)
        answers.append(_answers(network, out, budget, partitions, null, replace, progress))
    return Study(*(pd.concat(frames, ignore_index=True) for frames in zip(*answers, strict=True)))


def _run(case: StudyCase, subject: Subject, folder: Path, replace: bool, progress: Progress) -> Run:
    """Return the run of a case; one that is there is taken without the network being cut again."""
    if not replace and (folder / "manifest.json").exists():
        run = Run.open(folder)
        if (run.manifest.basis, run.manifest.seed) == (case.basis, case.seed):
            reopened(run, subject)
            return run
    options = Options(basis=case.basis, seed=case.seed)
    return build(subject, folder, options, name=case.name, replace=replace, progress=progress)


def _check(models: Sequence[str], bases: Sequence[str], seeds: int) -> None:
    names = [Path(model).name for model in models]
    if len(set(names)) < len(names):
        raise UsageError(f"Two models are called the same: {', '.join(names)}. Rename a folder.")
    for basis in bases:
        if basis not in BASES:
            raise NotFoundError("basis", basis, BASES, f"Choose of {', '.join(BASES)}.")
    if BASE not in bases:
        raise UsageError(f"All bases are held against {BASE}. Add it to --bases.")
    if seeds < 1:
        raise UsageError(f"seeds is {seeds}; the basis random takes at least 1.")


def _say(progress: Progress, question: int, case: StudyCase) -> None:
    progress.say(f"[{question + 1}/{len(QUESTIONS)}] {QUESTIONS[question]} {case.name}")


def _answers(
    network: _Network,
    out: Path,
    budget: Budget,
    partitions: int,
    null: int,
    replace: bool,
    progress: Progress,
) -> tuple[pd.DataFrame, ...]:
    """Return the tables of one network, in the order of those of a study."""
    sparse: Answers = {}
    predicted: Answers = {}
    required: Answers = {}
    modules: Answers = {}
    predictor = TokenPredictor.of(network.subject.inputs[0])
    for case, run, opened in network.opened():
        _say(progress, 1, case)
        sparse[case.called] = sparsities(run, opened, network.top, budget, progress)
        _say(progress, 2, case)
        predicted[case.called] = predictions(run, opened, predictor, network.top, budget, progress)
    for case, run in network.runs.items():
        _say(progress, 3, case)
        required[case.called] = required_edges(run, network.subject, budget, progress)
    for case, run in network.runs.items():
        _say(progress, 4, case)
        ingest.load(run, out / STORE, replace=replace, progress=progress)
        modules[case.called] = _modules(out / STORE, run, partitions, null)
    name = next(iter(network.runs)).network
    contrasts = pd.concat(
        [contrast_rows(name, found, BASE) for found in (sparse, predicted)], ignore_index=True
    )
    return (
        pd.DataFrame([{"network": name, **cross_entropy(network.subject)}]),
        level_rows(name, sparse), contrasts,
        required_rows(name, required), module_rows(name, modules), level_rows(name, predicted),
    )  # fmt: skip


def _modules(store: Path, run: Run, partitions: int, null: int) -> pd.DataFrame:
    """Return a row for either kind of weights."""
    rows = []
    with open_graph(store, run.id) as graph:
        for weights in get_args(Weights):
            table = graph.module_table(
                weights=weights, resolutions=[1.0], seeds=partitions, null=null
            )
            rows.append(table.frame.assign(weights=weights, null=null))
    return pd.concat(rows, ignore_index=True)


def write_study(found: Study, out: Path) -> None:
    """Write results.json, which has all tables, and the pictures, as SVG, into a folder."""
    from queries.pictures.figures import save_figure
    from queries.pictures.study import study_pictures

    write_json(out / "results.json", found.json_value())
    for name, figure in study_pictures(found).items():
        save_figure(figure, out / f"{name}.svg")
