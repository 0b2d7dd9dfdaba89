"""Which runs it takes to make the published graphs of modular addition again, and each of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lib_graph.analysis.ablation import (
    Bench,
    ablate_edges,
    read_ablation,
    smallest_kept,
    write_ablation,
    write_masks,
)
from lib_graph.analysis.published import REPOSITORY, SEEDS, WEIGHTS, published_bases
from lib_graph.building.build import build
from lib_graph.building.options import Options
from lib_graph.dictionaries.bases_file import write_bases
from lib_graph.errors import RunError, UsageError
from lib_graph.networks import load_subject, shipped_model
from lib_graph.run import Run
from lib_graph.support import defaults
from lib_graph.support.progress import USUAL, Progress

__all__ = ["BASES", "SHIPPED", "Case", "cases", "reproduced_run"]

BASES: tuple[Literal["lib", "pca"], ...] = ("lib", "pca")
SHIPPED = "shipped"


@dataclass(frozen=True)
class Case:
    """A network in a basis: our own, or the published one that is in the file `reference`."""

    network: str
    model: Path
    basis: Literal["lib", "pca"]
    reference: Path | None = None

    @property
    def name(self) -> str:
        """What the run is called."""
        return f"{self.network}-{self.basis}" + "-published" * (self.reference is not None)


def cases(networks: Path | None = None) -> list[Case]:
    """Return what is to be run: the shipped model, and the published networks in a folder.

    The folder holds seed0, seed1 and seed2, each with a network and, if they are to be looked at as
    well, the published graphs reference-lib.safetensors and reference-pca.safetensors.

    Raises UsageError if a network is not there.
    """
    found = [Case(SHIPPED, shipped_model(), basis) for basis in BASES]
    if networks is None:
        return found
    for seed in SEEDS:
        model = networks / seed
        if not (model / "config.json").is_file():
            raise UsageError(
                f"There is no {seed}/config.json in {str(networks)!r}. Name a folder with the "
                f"networks of {REPOSITORY}: {', '.join(SEEDS)}, each with model.safetensors and "
                "config.json."
            )
        found += [Case(seed, model, basis) for basis in BASES]
        references = [(basis, model / f"reference-{basis}.safetensors") for basis in BASES]
        found += [Case(seed, model, basis, file) for basis, file in references if file.is_file()]
    return found


def reproduced_run(
    case: Case, out: Path, *, replace: bool = False, progress: Progress = USUAL
) -> Run:
    """Return the run of a case, its edges ablated, in a folder of its name in `out`.

    What is there already is not made again. `progress` is told of a network in the place of a
    published one. Raises ConflictError where another run is there and `replace` is false.
    """
    options = Options(basis=case.basis)
    if case.reference is not None:
        bases = out / f"{case.name}.safetensors"
        write_bases(bases, published_bases(case.reference), {})
        options = Options(basis=bases)
    subject = load_subject(case.model)
    folder = out / case.name
    run = build(subject, folder, options, name=case.name, replace=replace, progress=progress)
    weights = run.manifest.model.sha256
    if weights != WEIGHTS.get(case.network, weights):
        progress.say(f"{case.network} is not the published network: its weights are others.")
    if not _ablated(run):
        bench = Bench.of(run, subject=subject)
        found = ablate_edges(bench, progress=progress)
        write_ablation(bench, found.rows, replace=True)
        write_masks(bench, found.masks, replace=True)
    return run


def _ablated(run: Run) -> bool:
    """Return whether the edges of all sections of this very graph were ablated, to DELTA."""
    sections = {layer.name for layer in run.layers[:-1]}
    try:
        rows = read_ablation(run)
        required = rows[(rows["kind"] == "edges_required") & (rows["run"] == run.id)]
        kept = smallest_kept(run)
    except RunError:
        return False
    return (
        set(required["layer"]) == sections
        and bool((required["delta"] == defaults.DELTA).all())
        and kept.keys() == set(required["layer"][required["edges"] > 0])
    )
