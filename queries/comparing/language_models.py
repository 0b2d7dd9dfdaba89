"""Does a basis help on language models? The runs, and what each of them says to it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd

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
from lib_graph.analysis.measuring.extent import Extent
from lib_graph.analysis.measuring.predicting import TokenPredictor
from lib_graph.analysis.measuring.requiring import required_edges
from lib_graph.analysis.measuring.study import (
    cross_entropy,
    language_model,
    predictions,
    rebuildings,
    sparsities,
    splicings,
)
from lib_graph.data.text import Text
from lib_graph.errors import UsageError
from lib_graph.support import defaults
from lib_graph.support.files import write_json
from lib_graph.support.progress import SILENT, Progress
from queries.comparing.rebuilt import rebuilt_rows
from queries.comparing.studied import Studied
from queries.comparing.study_modules import STORE, agreement_beside, modules_beside
from queries.comparing.study_tables import (
    Answers,
    Study,
    agreement_table,
    contrast_rows,
    level_rows,
    module_rows,
    required_rows,
    seed_rows,
    spliced_rows,
)

__all__ = ["QUESTIONS", "Budget", "Extent", "Lessons", "study", "write_study"]

QUESTIONS = (
    "What are the graphs?",
    "Are the interactions sparser, and would one probe a sequence have shown it?",
    "Do the words around predict the features?",
    "How many edges does the network need?",
    "Are there modules?",
)
WHOLE = 3  # the first of the questions that take the whole graph


def study(
    models: Sequence[str],
    text: Text,
    out: Path,
    *,
    bases: Sequence[str] = BASES[:-1],
    seeds: int = defaults.TIMES,
    budget: Budget | None = None,
    lessons: Lessons | None = None,
    extent: Extent | None = None,
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
    Of a large network an `extent` asks about part: what takes the whole graph is left out then.
    After each network all that is known is written to `out` (`write_study`).

    Raises UsageError for too few tokens, a δ that the whole graph does not keep, or no PCA among
    the bases, or nothing beside it; NotFoundError for a basis; ModelError for a network that cannot
    be had, or a dictionary that explains nothing; ConflictError where another run is in a folder,
    unless `replace`.
    """
    budget, lessons, extent = budget or Budget(), lessons or Lessons(), extent or Extent()
    _check(models)
    check_bases(bases, seeds)
    subjects = {Path(model).name: extent.cut(language_model(model, text)) for model in models}
    answers = []
    for name, subject in subjects.items():
        runs = {}
        for case in cases_of(name, bases, seeds):
            _say(progress, 0, case, whole=extent.whole)
            runs[case] = run_of(
                case, subject, out, lessons, extent, replace=replace, progress=progress
            )
        network = Studied(subject, runs, extent)
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


def _say(progress: Progress, question: int, case: StudyCase, *, whole: bool) -> None:
    """Say which question is asked; of part of a network the last ones, about all of it, are not."""
    count = len(QUESTIONS) if whole else WHOLE
    progress.say(f"[{question + 1}/{count}] {QUESTIONS[question]} {case.name}")


def _answers(
    network: Studied,
    out: Path,
    budget: Budget,
    partitions: int,
    null: int,
    progress: Progress,
) -> tuple[pd.DataFrame, ...]:
    """Return the tables of one network, in the order of those of a study."""
    sparse, told, predicted = _measured(network, budget, progress)
    beside: Answers = {}
    spliced: Answers = {}
    required: Answers = {}
    modules: Answers = {}
    agreement: Answers = {}
    for case in network.dictionaries if network.whole else ():
        _say(progress, 1, case, whole=network.whole)
        beside[case.called] = network.beside(case, told, budget, progress)
        spliced[case.called] = splicings(network.runs[case], network.opened(case))
    for case in network.linear if network.whole else ():
        _say(progress, 3, case, whole=network.whole)
        required[case.called] = required_edges(
            network.runs[case], network.subject, budget, progress
        )
    for case in network.linear if network.whole else ():
        _say(progress, 4, case, whole=network.whole)
        run, store = network.runs[case], out / STORE
        modules[case.called] = modules_beside(store, run, partitions, null, progress)
        agreement[case.called] = agreement_beside(
            store, run, partial(network.opened, case), progress
        )
    name = network.name
    contrasts = pd.concat(
        [contrast_rows(name, found, BASE) for found in (sparse, predicted)], ignore_index=True
    )
    needed, modular = required_rows(name, required), module_rows(name, modules)
    runs = {case.called: run for case, run in network.runs.items()}
    scores = cross_entropy(network.subject, network.extent.options().torch_dtype)
    return (
        pd.DataFrame([{"network": name, **scores, **network.asked}]),
        level_rows(name, sparse), contrasts, rebuilt_rows(name, runs, told, beside),
        spliced_rows(name, scores["score"], spliced),
        needed, modular, agreement_table(name, agreement), level_rows(name, predicted),
        seed_rows(contrasts, needed, modular),
    )  # fmt: skip


def _measured(
    network: Studied, budget: Budget, progress: Progress
) -> tuple[Answers, Answers, Answers]:
    """Return how sparse each basis is, what its features rebuild, and how words predict them."""
    sparse: Answers = {}
    told: Answers = {}
    predicted: Answers = {}
    predictor = TokenPredictor.of(network.subject.inputs[0])
    for case, run in network.runs.items():
        opened, name, top = network.opened(case), case.called, network.top
        _say(progress, 1, case, whole=network.whole)
        sparse[name] = sparsities(run, opened, top, network.extent, budget, progress)
        if network.whole and network.dictionaries:
            told[name] = rebuildings(run, opened)
        _say(progress, 2, case, whole=network.whole)
        predicted[name] = predictions(run, opened, predictor, top, budget, progress)
    return sparse, told, predicted


def write_study(found: Study, out: Path) -> None:
    """Write results.json, which has all tables, and the pictures, as SVG, into a folder."""
    from queries.pictures.figures import save_figure
    from queries.pictures.study import study_pictures

    write_json(out / "results.json", found.json_value())
    for name, figure in study_pictures(found).items():
        save_figure(figure, out / f"{name}.svg")
