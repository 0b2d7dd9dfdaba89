"""Features of two runs that are alike on the same data (docs/method.md §14)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace as replaced
from functools import partial

import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lib_graph.analysis.correlation import correlations
from lib_graph.analysis.reopening import Reopened, cut_again, passes_of, reopened, reopened_network
from lib_graph.errors import ModelError, UsageError
from lib_graph.method.network import Network
from lib_graph.networks import Subject
from lib_graph.run import Run
from lib_graph.run.kept import graph_of, up_to_date
from lib_graph.run.matches import MATCHES, all_matches, matches_path, write_matches
from lib_graph.support import defaults
from lib_graph.support.arguments import checked
from lib_graph.support.files import locked
from lib_graph.support.progress import USUAL, Progress
from lib_graph.support.texts import first_line

__all__ = ["match_runs"]


@checked
def match_runs(
    run: Run,
    other: Run,
    subject: Subject | None = None,
    other_subject: Subject | None = None,
    *,
    count: int = defaults.MATCHES,
    replace: bool = False,
    memory: int = defaults.MEMORY,
    device: str = defaults.DEVICE,
    progress: Progress = USUAL,
) -> pd.DataFrame:
    """Return which features of two runs are alike, written to the folders of both.

    Both networks run over the data of `run`, and in every layer that both runs have, by name, the
    features of the one are correlated with those of the other. Of every feature that varies the
    `count` are kept that are most like it; outputs of raw layers go with the same output. The
    columns are those of `lib_graph.run.matches`. `subject` and `other_subject` are needed where a
    network was built from a module of a Python session. Matches that are there already are not
    looked for again. `memory` is the bytes that this may take; where it was cut off, it goes on.

    Raises UsageError for a count below 1, too little memory, the same run twice, a trace, or runs
    whose layers or vocabularies are not for each other; ModelError if the other network cannot run
    on the data; ConflictError if a folder holds other matches and not `replace`; and what
    `reopened_network` does.
    """
    _check_runs(run, other, count)
    bases = {each.id: graph_of(each)["bases"] for each in (run, other)}
    origin = {"run": run.id, "other": other.id, "bases": bases, "count": count}
    paths = [matches_path(each.path, run.id, other.id) for each in (run, other)]
    if up_to_date(paths, origin, replace=replace, progress=progress):
        return next(each.frame for each in all_matches(run) if each.other == other.id)
    passes = passes_of(run, f"match-{other.id}", origin, progress)
    first, second = _both(run, other, subject, other_subject, device, progress)
    _say_left_out(run, other, progress)
    found = correlations(first, second, passes, memory, partial(_on_data_of, run, other))
    frame = _frame(run, other, found, count)
    for path in paths:
        with locked(path.parent):
            write_matches(path, frame, origin)
    passes.close()
    return frame


def _check_runs(run: Run, other: Run, count: int) -> None:
    if count < 1:
        raise UsageError(f"{count} matches of a feature cannot be kept. Ask for at least 1.")
    if run.id == other.id:
        raise UsageError(f"Run {run.id} cannot be matched with itself. Name another run.")
    for each in (run, other):
        base = each.manifest.base
        if base is not None:
            raise UsageError(f"Run {each.id} is a trace: its features are those of {base}.")
    names = [[layer.name for layer in each.layers] for each in (run, other)]
    if not set(names[0]) & set(names[1]):
        raise UsageError(
            f"Runs {run.id} and {other.id} have no layer in common ({', '.join(names[0])}; "
            f"{', '.join(names[1])}). Layers are matched by name: --layers NAME=POINT names them."
        )


def _both(
    run: Run,
    other: Run,
    subject: Subject | None,
    other_subject: Subject | None,
    device: str,
    progress: Progress,
) -> tuple[Reopened, Reopened]:
    """Return both networks, that of the other run on the data of the first."""
    first = reopened_network(run, subject, device=device, progress=progress, derivatives=False)
    second = reopened(other, other_subject, progress)
    words = [each.notation.vocabulary for each in (first.subject, second)]
    if None not in words and words[0] != words[1]:
        raise UsageError(
            f"The networks of runs {run.id} and {other.id} have different vocabularies, so they "
            "cannot run on the same data. Match networks for the same inputs."
        )
    data = replaced(second, inputs=first.subject.inputs, counted=first.subject.counted)
    with _on_data_of(run, other):
        opened = cut_again(other, data, device=device, derivatives=False)
    _check_layers(run, other, first.network, opened.network)
    return first, opened


@contextmanager
def _on_data_of(run: Run, other: Run) -> Iterator[None]:
    """Say in one line that the other network cannot run on the data of the first."""
    try:
        yield
    except (ModelError, UsageError, RuntimeError, LookupError, TypeError, ValueError) as error:
        first: BaseException = error
        while first.__cause__ is not None:
            first = first.__cause__
        reason = first_line(first).rstrip(".")
        raise ModelError(
            f"The network of run {other.id} cannot run on the data of run {run.id} ({reason}). "
            "Match networks for the same inputs."
        ) from error


def _check_layers(run: Run, other: Run, first: Network, second: Network) -> None:
    """Raise an error for two layers whose rows, or whose outputs, are not for each other."""
    raw = [{layer.name for layer in each.layers if layer.kind == "raw"} for each in (run, other)]
    widths = {layer.name: layer for layer in second.layers}
    for layer in first.layers:
        beside = widths.get(layer.name, layer)
        for what, one, two in (
            ("positions", layer.positions, beside.positions),
            ("outputs", layer.width, beside.width),
        ):
            if one != two and (what == "positions" or layer.name in raw[0] & raw[1]):
                raise UsageError(
                    f"Layer {layer.name!r} has {one} {what} in run {run.id} and {two} in run "
                    f"{other.id}, so the two cannot be matched."
                )


def _say_left_out(run: Run, other: Run, progress: Progress) -> None:
    for each, beside in ((run, other), (other, run)):
        names = {layer.name for layer in beside.layers}
        if left := [layer.name for layer in each.layers if layer.name not in names]:
            progress.say(f"Layers of run {each.id} alone are left out: {', '.join(left)}.")


def _frame(run: Run, other: Run, found: Mapping[str, Tensor], count: int) -> pd.DataFrame:
    """Return the matches of all layers, by layer, feature and rank."""
    first = [{each.name: each.first_index for each in one.layers} for one in (run, other)]
    frames = []
    for name, r in found.items():
        rows = _of_outputs(r) if r.ndim == 1 else _of_features(r, count)
        rows["index"] += first[0][name]
        rows["other_index"] += first[1][name]
        rows = rows.assign(run=run.id, layer=name, other=other.id)
        frames.append(rows.sort_values(["index", "rank"]))
    return pd.concat(frames, ignore_index=True)[list(MATCHES.names)]


def _of_outputs(r: Float[Tensor, " p"]) -> pd.DataFrame:
    """Return the matches of outputs, each with the same output: column i is feature i."""
    index = torch.nonzero(r.isfinite()).flatten()
    one = torch.ones_like(index)
    return _rows(index, index, r[index], one, one)


def _of_features(r: Float[Tensor, "p q"], count: int) -> pd.DataFrame:
    """Return the matches of features, numbered by their columns."""
    size = r.abs().nan_to_num(-1.0)
    rank, other_rank = _ranks(size), _ranks(size.T).T
    kept = ((rank <= count) | (other_rank <= count)) & r.isfinite()
    index, other_index = torch.nonzero(kept, as_tuple=True)
    return _rows(index, other_index, r[kept], rank[kept], other_rank[kept])


def _ranks(values: Float[Tensor, "p q"]) -> Int[Tensor, "p q"]:
    """Return the place of each value in its row, 1 for the largest; of equal ones the first."""
    order = values.argsort(dim=1, descending=True, stable=True)
    places = torch.arange(1, values.shape[1] + 1).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, places)


def _rows(
    index: Tensor, other_index: Tensor, correlation: Tensor, rank: Tensor, other_rank: Tensor
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "index": index.numpy(),
            "other_index": other_index.numpy(),
            "correlation": correlation.numpy(),
            "rank": rank.numpy(),
            "other_rank": other_rank.numpy(),
        }
    )
