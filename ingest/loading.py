"""Load a run folder into a store: whole, verified, and only then visible.

A run has the status 'loading' until its features, the number of its interactions and their
checksum, read back from the store, are those of the run folder. A run that replaces another is
first loaded beside it; only when it is whole is the old one deleted, so an interruption never
loses both.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ingest.ablations import note_ablations
from ingest.contents import Contents
from ingest.deleting import delete_run, staged
from ingest.filling import Filling
from ingest.matches import note_matches
from ingest.pins import note_pins
from ingest.prompts import other_words, take_words
from ingest.replacing import take_place
from ingest.store import using_store
from ingest.store.protocol import GraphStore
from ingest.verifying import both_features, find_difference, run_status, update_labels
from ingest.versions import check_versions, stored_versions
from lib_graph.errors import ConflictError
from lib_graph.run import Run
from lib_graph.support.arguments import checked
from lib_graph.support.progress import USUAL, Progress
from lib_graph.support.texts import counted

__all__ = ["LoadReport", "load"]

Outcome = Literal["loaded", "resumed", "replaced", "relabelled", "updated", "unchanged"]
_DID: dict[Outcome, str] = {
    "loaded": "Loaded",
    "resumed": "Finished loading",
    "replaced": "Replaced",
    "relabelled": "Updated the labels of",
    "updated": "Added what was found since to",
    "unchanged": "Nothing to do: the store already holds",
}
THERE: tuple[Outcome, ...] = ("unchanged", "relabelled")
"""Outcomes of a run that was in the store, whole"""
SHOWN = 5


@dataclass(frozen=True)
class LoadReport:
    """What a load did. `features` leaves the constant features out.

    `left` names what the file of an attribution graph says otherwise than the store, which is left
    as it is there.
    """

    run_id: str
    name: str
    store: str
    outcome: Outcome
    features: int
    interactions: int
    strength_total: float
    left: tuple[str, ...] = ()

    def __str__(self) -> str:
        did = (
            f"{_DID[self.outcome]} run {self.run_id} ({self.name}): "
            f"{counted(self.features, 'feature')}, "
            f"{counted(self.interactions, 'interaction')}, in {self.store}."
        )
        if not self.left:
            return did
        named = ", ".join(self.left[:SHOWN]) + (", …" if len(self.left) > SHOWN else "")
        return f"{did} Other in this file, and left as it was there: {named} (--replace takes it)."

    @property
    def changed(self) -> bool:
        """Whether the store is not as it was."""
        return self.outcome != "unchanged"


@checked
def load(
    run: Run | str | Path,
    store: object = None,
    *,
    replace: bool = False,
    progress: Progress = USUAL,
) -> LoadReport:
    """Return what was done to bring a run folder into a store (any that `open_store` takes).

    A run that is there already, with the same numbers, is left as it is, but for labels that have
    been written, what ablations have found since, and matches with other runs that are there. What
    else the file of an attribution graph says is taken with `replace`, and else named. A load that
    was cut off is resumed. Raises ConflictError if the store holds the run with other
    numbers and not `replace`, or if another process took over the load; RunError for a damaged run
    folder; StoreError and StoreUnavailableError for the store.

    >>> load("runs/modular-addition", "graph.kgl").outcome  # doctest: +SKIP
    'loaded'
    """
    run = run if isinstance(run, Run) else Run.open(run)
    with using_store(store) as graph:
        contents = Contents.of(run)
        with graph.writing():
            check_versions(graph.name, stored_versions(graph))
            outcome = _bring(graph, contents, replace, progress)
            left = _words(graph, contents, replace) if outcome in THERE else ()
            if left and replace:
                outcome, left = "updated", ()
            graph.keep_interactions(run.id, contents.file, contents.state)
            noted = [note(graph, run) for note in (note_ablations, note_matches, note_pins)]
            if any(noted) and outcome == "unchanged":
                outcome = "updated"
        features = sum(layer.features for layer in run.layers)
        return LoadReport(
            run.id, run.manifest.name, graph.name, outcome, features, contents.interactions,
            contents.strength_total, left,
        )  # fmt: skip


def _words(graph: GraphStore, contents: Contents, replace: bool) -> tuple[str, ...]:
    """Return what a graph's file says otherwise than the store; with `replace` it is taken."""
    other = other_words(graph, contents)
    if other and replace:
        take_words(graph, contents)
    return other


def _bring(graph: GraphStore, contents: Contents, replace: bool, progress: Progress) -> Outcome:
    """Bring the run into the store, from whatever state it is in there."""
    run = contents.run.id
    status = run_status(graph, run)
    if status == "complete":
        if not graph.capabilities.atomic:
            graph.ensure_schema()  # the server's own import, or somebody, may have left it out
        both = both_features(graph, contents, run)
        difference = find_difference(graph, contents, run, both)
        if difference is None:
            return "relabelled" if update_labels(graph, both, run) else "unchanged"
        if not replace:
            raise ConflictError(
                f"Run {run} is in {graph.name!r} with other numbers: {difference}. "
                "Add --replace to take those of this folder."
            )
        if not graph.capabilities.atomic:
            Filling(graph, contents, staged(run)).fill(progress)
    if status in ("complete", "deleting"):
        delete_run(graph, run, progress)
    replaced = status == "complete"
    if status != "loading" and run_status(graph, staged(run)):
        Filling(graph, contents, staged(run)).fill(progress)
        take_place(graph, run)
        replaced = True
    filling = Filling(graph, contents, run)
    resumed = filling.fill(progress)
    filling.complete()
    return "replaced" if replaced else "resumed" if resumed else "loaded"
