"""The bases that a study of language models asks about: what they are called, and their runs."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Int
from torch import Tensor

from lib_graph.analysis.measuring.extent import Extent
from lib_graph.analysis.reopening import reopened
from lib_graph.building.build import build
from lib_graph.building.learning import train_dictionaries
from lib_graph.building.options import Options
from lib_graph.building.samples import in_random_order
from lib_graph.data.text import Text
from lib_graph.errors import ConflictError, NotFoundError, UsageError
from lib_graph.networks import Subject, load_subject
from lib_graph.networks.training.dictionary import DictionaryRecipe
from lib_graph.run import Run
from lib_graph.run.config import BuildConfig
from lib_graph.support import defaults
from lib_graph.support.progress import Progress

__all__ = [
    "BASE",
    "BASES",
    "Lessons",
    "StudyCase",
    "cases_of",
    "check_bases",
    "run_of",
    "some_samples",
]

BASES = ("pca", "lib", "random", "neuron", "global")
BASE = "pca"  # what all others are held against
SOME = 4  # of so many samples one gives the strengths among all features of dictionaries
DICTIONARY = re.compile(r"dictionary-([1-9][0-9]?)")
CHOOSE = f"Choose of {', '.join(BASES)} and dictionary-N, N features for each coordinate."


@dataclass(frozen=True)
class StudyCase:
    """A network in a basis; a random one, and a dictionary, has a seed."""

    network: str
    basis: str
    seed: int = 0

    @property
    def expansion(self) -> int | None:
        """Of a dictionary, its features for each coordinate."""
        found = DICTIONARY.fullmatch(self.basis)
        return int(found[1]) if found else None

    @property
    def seeded(self) -> bool:
        """Whether the basis follows from a seed."""
        return self.basis == "random" or self.expansion is not None

    @property
    def called(self) -> str:
        """What the basis is called in tables."""
        return f"{self.basis} {self.seed}" if self.seeded else self.basis

    @property
    def name(self) -> str:
        """What the run and its folder are called."""
        return f"{self.network}-{self.called.replace(' ', '-')}"


@dataclass(frozen=True)
class Lessons:
    """How dictionaries are trained: on a text (default: that of the study), k of their features at
    a position, in so many steps.
    """

    text: Text | None = None
    k: int = defaults.ACTIVE
    steps: int = defaults.STEPS


def check_bases(bases: Sequence[str], seeds: int) -> None:
    """Raise NotFoundError for another basis, UsageError if BASE is missing or alone, or no seed."""
    for basis in bases:
        if basis not in BASES and not DICTIONARY.fullmatch(basis):
            raise NotFoundError("basis", basis, BASES, CHOOSE)
    if BASE not in bases:
        raise UsageError(f"All bases are held against {BASE}. Add it to --bases.")
    if set(bases) == {BASE}:
        raise UsageError(f"{BASE} is the only basis. Add one to --bases to hold against it.")
    if seeds < 1:
        raise UsageError(f"seeds is {seeds}; a random basis or a dictionary takes at least 1.")


def cases_of(network: str, bases: Sequence[str], seeds: int) -> list[StudyCase]:
    """Return a case for each basis, and each of its seeds where it has any.

    >>> [case.called for case in cases_of("net", ["pca", "dictionary-4"], 2)]
    ['pca', 'dictionary-4 0', 'dictionary-4 1']
    """
    return [
        StudyCase(network, basis, seed)
        for basis in dict.fromkeys(bases)
        for seed in range(seeds if StudyCase(network, basis).seeded else 1)
    ]


def run_of(
    case: StudyCase, subject: Subject, out: Path, lessons: Lessons, extent: Extent, *,
    replace: bool, progress: Progress,
) -> Run:  # fmt: skip
    """Return the run of a case in its folder of `out`; one that is there is taken as it is.

    A dictionary is trained into a folder of `dictionaries` first, and its interactions, N² times as
    many as without it, are those of one sample in SOME where all of them are asked about.

    Raises ConflictError if another run, or another dictionary, is there, unless `replace`, and what
    training and building do.
    """
    folder = out / case.name
    if case.expansion is None:
        options = extent.options(case.basis, case.seed)
    else:
        place = out / "dictionaries" / case.name
        _taught(case, subject, place, lessons, replace=replace, progress=progress)
        options = extent.options(place)
        if extent.top is None:
            options = dataclasses.replace(options, edge_samples=len(some_samples(subject)))
    if not replace and (folder / "manifest.json").exists():
        run = Run.open(folder)
        if _is_of(run.manifest.config, options, subject):
            reopened(run, subject)
            return run
    return build(subject, folder, options, name=case.name, replace=replace, progress=progress)


def _is_of(config: BuildConfig, options: Options, subject: Subject) -> bool:
    """Return whether a run was built at these layers, and with what a study asks for."""
    names = ("seed", "top", "edge_samples", "dtype")
    asked = [str(options.basis), *(getattr(options, name) for name in names)]
    found = [config.basis, *(getattr(config, name) for name in names)]
    return asked == found and config.layers == tuple(subject.layers.items())


def some_samples(subject: Subject) -> Int[Tensor, " n"]:
    """Return the samples, by number, of which the strengths among all of a dictionary's features
    are: one in SOME.
    """
    count = len(subject.inputs[0])
    return in_random_order(count)[: max(count // SOME, 1)]


def _taught(
    case: StudyCase, subject: Subject, place: Path, lessons: Lessons, *, replace: bool,
    progress: Progress,
) -> None:  # fmt: skip
    """Train the dictionaries of a case into a folder, unless they are there."""
    assert case.expansion is not None
    recipe = DictionaryRecipe(case.expansion, lessons.k, case.seed, lessons.steps)
    learner = subject
    if lessons.text is not None:
        learner = dataclasses.replace(
            load_subject(subject.source, lessons.text), layers=subject.layers
        )
    asked = {
        "data": learner.data_name, "expansion": recipe.expansion, "k": recipe.k,
        "seed": recipe.seed, "steps": recipe.steps, "layers": ", ".join([*subject.layers][:-1]),
    }  # fmt: skip
    if (place / "training.json").exists():
        made = json.loads((place / "training.json").read_text(encoding="utf-8"))
        made["layers"] = ", ".join(made.get("layers", []))
        differing = [f"{name} {made.get(name)}" for name in asked if made.get(name) != asked[name]]
        if not differing and not replace:
            return
        if not replace:
            raise ConflictError(
                f"The dictionaries in {str(place)!r} were trained with {', '.join(differing)}. "
                "Take another --out, or --replace all that is there."
            )
        shutil.rmtree(place)
    train_dictionaries(learner, place, recipe, progress=progress)
