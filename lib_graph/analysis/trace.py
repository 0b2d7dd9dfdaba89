"""What a network does on one input, as a run of its own over the features of another."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import replace as replaced
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from lib_graph.analysis.reopening import Reopened, cut_again, reopened
from lib_graph.analysis.token_flow import layer_flow, text_pieces, traced_tokens
from lib_graph.building.frames import section_frames
from lib_graph.building.interactions_stage import interactions_of
from lib_graph.building.origin import run_id, tensors_sha256
from lib_graph.building.passes import Passes
from lib_graph.building.plan import make_plan
from lib_graph.data.notation import Sample
from lib_graph.dictionaries.bases_file import read_bases, write_bases
from lib_graph.errors import UsageError
from lib_graph.method.dictionary import most_important
from lib_graph.method.rules import Rule
from lib_graph.networks import Subject
from lib_graph.run import Run
from lib_graph.run.kept import Origin, clear, finished, graph_of
from lib_graph.run.schema import UNFINISHED
from lib_graph.run.traced import LayerFlow
from lib_graph.run.writing import write_features, write_interactions, write_manifest
from lib_graph.support import defaults
from lib_graph.support.arguments import checked
from lib_graph.support.files import check_folder, locked
from lib_graph.support.progress import USUAL, Progress

__all__ = ["trace"]


@checked
def trace(
    run: Run,
    out: str | Path,
    input: int | str | Sample,
    *,
    subject: Subject | None = None,
    name: str | None = None,
    replace: bool = False,
    memory: int = defaults.MEMORY,
    device: str = defaults.DEVICE,
    progress: Progress = USUAL,
) -> Run:
    """Return the run of one input over the features of `run`, written to the folder `out`.

    `input` is the number of a sample of the run's data, a text that the network's notation reads
    (`lib_graph.data.notation`), or a `Sample`. Features and bases are those of `run`, the strengths
    those of the one input:

        E_ij(x) = 1/S Σ_t A_itj(x)²

    The strengths of a run are the mean of those of its samples, each by its number of positions.
    There is no standard error. Of an input that is tokens of a text, the manifest says at which of
    them how much flows into each layer (`traced`). `subject` is needed where the network was built
    from a module of a Python session; `name` is what people call the result (default: NAME@INPUT).

    `memory` is the bytes that this may take; where it was cut off, it goes on.

    Raises UsageError for an input that is none, too little memory, or if `run` is itself of one
    input, ConflictError
    if the folder holds another run and `replace` is false, and what `reopened` does.
    """
    out = Path(out)
    if run.manifest.base is not None:
        raise UsageError(f"Run {run.id} is of one input. Trace run {run.manifest.base}, its base.")
    if out.resolve() == run.path.resolve():
        raise UsageError(f"{str(out)!r} holds the run itself. Choose another --out.")
    check_folder(out)
    subject = reopened(run, subject, progress)
    sample = _sample(subject, input)
    alone = _alone(subject, sample)
    origin = {
        "base": run.id,
        **graph_of(run, "bases"),
        "input": tensors_sha256(alone.tensors()),
    }
    text = str(input) if isinstance(input, int | str) else subject.notation.write(sample, None)
    with locked(out):
        if replace:
            clear(out)
        if (found := finished(out, origin, progress)) is not None:
            return found
        opened = cut_again(run, alone, device=device)
        passes = Passes(origin, out / UNFINISHED, progress)
        features = run.features.assign(run=run_id(origin))
        write_features(out / "features.parquet", features, origin)
        write_bases(out / "bases.safetensors", read_bases(run.path / "bases.safetensors"), origin)
        pieces = text_pieces(subject.notation, sample, opened.network.layers)
        flows: list[LayerFlow] = []
        sections = _sections(run, opened, passes, memory, flows if pieces else None)
        write_interactions(out / "interactions.parquet", sections, origin)
        manifest = _manifest(run, opened, origin, text)
        manifest["traced"] = traced_tokens(pieces, sample, flows)
        found = write_manifest(out, manifest | ({"name": name} if name else {}))
        passes.close()
        return found


def _sample(subject: Subject, input: int | str | Sample) -> Sample:
    """Return the sample that somebody means."""
    if isinstance(input, Sample):
        return input
    if isinstance(input, str) and not input.isdecimal():
        return subject.notation.read(input)
    number, count = int(input), len(subject.inputs[0])
    if not 0 <= number < count:
        raise UsageError(f"There is no input {number}: the data are inputs 0 to {count - 1}.")
    return subject.sample(number)


def _alone(subject: Subject, sample: Sample) -> Subject:
    """Return a network with one sample for its data."""
    counted = None if sample.counted is None else sample.counted[None]
    return replaced(subject, inputs=tuple(x[None] for x in sample.inputs), counted=counted)


def _sections(
    run: Run, opened: Reopened, passes: Passes, memory: int, flows: list[LayerFlow] | None
) -> Iterator[pd.DataFrame]:
    """Yield the interactions of one section after the other; `flows` takes those by token."""
    network, bases, config = opened.network, opened.bases, run.manifest.config
    rule = Rule.named(config.rule, config.points)
    widths = {name: basis.features for name, basis in bases.items()}
    plan = make_plan(
        network, opened.example, 1, memory, rule, features=widths, top=config.top
    )  # fmt: skip
    samples = opened.samples(replaced(plan, keep="memory"))
    chosen = config.top, config.min_importance
    for section in network.sections:
        source, target = section.source, section.target
        rows, columns = (most_important(bases[layer.name], *chosen) for layer in (source, target))
        basis, next_basis = bases[source.name].only(rows), bases[target.name].only(columns)
        if flows is not None:
            where = (section, samples[0], basis, next_basis, rule)
            flows.append(layer_flow(*where, plan.chunk))
        moments = interactions_of(passes, section, basis, next_basis, rule, samples)
        sources = torch.cat([torch.tensor([0]), rows + 1])
        targets = columns + (0 if bases[target.name].raw else 1)
        yield from section_frames(run_id(passes.origin), source, target, moments, sources, targets)


def _manifest(run: Run, opened: Reopened, origin: Origin, text: str) -> dict[str, Any]:
    """Return the fields of the manifest, but for the files' hashes."""
    base, network, counted = run.manifest, opened.network, opened.subject.counted
    positions = network.layers[0].positions if counted is None else int(counted.sum())
    layers = zip(base.layers, network.layers, strict=True)
    return base.model_dump(exclude={"schema_version", "files"}) | {
        "run_id": run_id(origin),
        "name": f"{base.name}@{text}",
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "config": base.config.model_copy(update={"input": text}),
        "data": base.data.model_copy(
            update={"sha256": origin["input"], "samples": 1, "positions": positions}
        ),
        "base": run.id,
        "layers": [
            info.model_copy(update={"positions": layer.positions}) for info, layer in layers
        ],
        "timings": {},
        "checks": {},
    }
