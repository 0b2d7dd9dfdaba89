"""A network of a study, and its runs in each basis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd
import pyarrow as pa

from lib_graph.analysis.measuring.beside import among_first
from lib_graph.analysis.measuring.budget import Budget
from lib_graph.analysis.measuring.cases import StudyCase, some_samples
from lib_graph.analysis.measuring.extent import Extent
from lib_graph.analysis.measuring.strengths import SectionStrengths, strengths_of_samples
from lib_graph.analysis.reopening import Reopened, in_bases_of, reopened_network
from lib_graph.networks import Subject
from lib_graph.run import Run
from lib_graph.run.answers import answered
from lib_graph.run.kept import graph_of
from lib_graph.support.progress import Progress
from lib_graph.support.tables import Record
from queries.comparing.rebuilt import equal_counts

__all__ = ["Studied"]

LEFT_OUT = "edges required, modules, what dictionaries rebuild"
BESIDE = pa.schema(
    [
        ("basis", pa.string()),
        ("layer", pa.string()),
        ("measure", pa.string()),
        ("draw", pa.int32()),  # 0: the samples as they are
        ("value", pa.float64()),
    ]
)


@dataclass(frozen=True)
class Studied:
    """A network, and its run in each basis, by case."""

    subject: Subject
    runs: Mapping[StudyCase, Run]
    extent: Extent
    _strengths: dict[StudyCase, list[SectionStrengths]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the network is called."""
        return next(iter(self.runs)).network

    @property
    def top(self) -> int:
        """The equal rank: the features that all layers have in all bases, or fewer that are asked
        about.
        """
        layers = [layer for run in self.runs.values() for layer in run.layers]
        least = min(layer.features for layer in layers if layer.kind != "raw")
        return min(least, self.extent.top or least)

    @property
    def asked(self) -> Record:
        """How much is asked: sections, features of each layer, samples of strengths; what is not.

        Of the first features alone not all is asked: they do not keep the score.
        """
        sections = len(self.subject.layers) - (1 if self.whole else 2)
        return {
            "sections": sections, "features": self.top,
            "samples": self.extent.samples(self.subject),
            "left_out": "nothing" if self.whole else LEFT_OUT,
        }  # fmt: skip

    @property
    def whole(self) -> bool:
        """Whether all features are asked about, and with them what takes the whole graph."""
        return self.extent.whole

    @property
    def linear(self) -> list[StudyCase]:
        """The cases that are no dictionaries."""
        return [case for case in self.runs if case.expansion is None]

    @property
    def dictionaries(self) -> list[StudyCase]:
        """The cases that are dictionaries."""
        return [case for case in self.runs if case.expansion is not None]

    @cached_property
    def _cut(self) -> Reopened:
        """The network in the first basis: it is cut once."""
        return reopened_network(next(iter(self.runs.values())), self.subject)

    def opened(self, case: StudyCase) -> Reopened:
        """Return the network in a basis."""
        return in_bases_of(self._cut, self.runs[case])

    def beside(
        self, case: StudyCase, told: Mapping[str, pd.DataFrame], budget: Budget, progress: Progress
    ) -> pd.DataFrame:
        """Return how sparse a dictionary and all bases are at equal reconstruction (docs §18).

        Rows basis, layer, measure, draw, value, of `among_first`: of all features of the
        dictionary, and of so many of each basis as rebuild as much (`told`), all of the samples
        that the dictionary's strengths are of.
        """
        cases = [case, *self.linear]
        counts = equal_counts({each.called: told[each.called] for each in cases}, case.called)

        def make() -> pd.DataFrame:
            weights = budget.drawn(len(some_samples(self.subject)))
            frames = [
                among_first(
                    self._of_some(each, progress), self.opened(each), counts[each.called], weights
                ).assign(basis=each.called)
                for each in cases
            ]
            return pd.concat(frames, ignore_index=True)

        origin = {
            **graph_of(self.runs[case]),
            "beside": {each.called: graph_of(self.runs[each], "run", "bases") for each in cases},
            "samples": some_samples(self.subject).tolist(),
            "draws": budget.draws, "seed": budget.seed,
        }  # fmt: skip
        return answered(self.runs[case].path / "beside.parquet", BESIDE, origin, make)

    def _of_some(self, case: StudyCase, progress: Progress) -> Iterable[SectionStrengths]:
        """Return the strengths that samples give among all features; those of bases are kept."""
        if case in self._strengths:
            return self._strengths[case]
        chosen = some_samples(self.subject)
        found = strengths_of_samples(
            self.runs[case], self.opened(case), chosen=chosen, progress=progress
        )
        if case.expansion is not None:
            return found
        return self._strengths.setdefault(case, list(found))
