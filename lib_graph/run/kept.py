"""What a run folder keeps, what each file was made from, and whether it is there already.

A file that is made again and again by the same command says in its metadata what it was made from,
its *origin*: a mapping that JSON can hold. Where the origin is the same there is nothing to do;
where it is another one, nothing is written unless `--replace` is given.
"""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError, safe_open

from lib_graph.errors import ConflictError, RunError
from lib_graph.run.folder import Run
from lib_graph.run.schema import DATA_FILES, UNFINISHED
from lib_graph.support.progress import USUAL, Progress

__all__ = [
    "KEPT", "Kept", "Origin", "checked_origin", "clear", "differing", "finished",
    "graph_of", "kept_as", "made_from", "read_rows", "up_to_date",
]  # fmt: skip

Origin = Mapping[str, Any]
Filters = Sequence[tuple[str, str, Any]]


@dataclass(frozen=True)
class Kept:
    """A kind of file in a run folder.

    `pattern` is its name, with a `*` where there may be several; `holds` is what people call what
    is in it, `verb` the command that makes it, RUN in place of the folder. `of` are the fields of
    `graph_of` that its origin repeats: where one is another, the file is of another build. What
    `stays` is not removed with the run when that is replaced.
    """

    pattern: str
    holds: str
    verb: str
    of: tuple[str, ...] = ()
    stays: bool = False

    @property
    def vouched(self) -> bool:
        """Whether the manifest holds its hash, so that the run is none without it."""
        return self.pattern in DATA_FILES


ABLATE = "ablate RUN edges"
STUDY = "reproduce language-models MODEL --text TEXT"
KEPT = (
    Kept("manifest.json", "the run", "build MODEL --out RUN"),
    Kept("bases.safetensors", "bases", "build MODEL --out RUN"),
    Kept("features.parquet", "features", "build MODEL --out RUN"),
    Kept("interactions.parquet", "interactions", "build MODEL --out RUN"),
    Kept("labels.json", "labels", "feature RUN/LAYER/INDEX --label TEXT", stays=True),
    Kept("examples.parquet", "examples", "examples RUN", of=("run", "bases")),
    Kept("histograms.parquet", "histograms", "examples RUN", of=("run", "bases")),
    Kept("ablation.parquet", "ablations", ABLATE, of=("run", "bases", "interactions")),
    Kept("masks.parquet", "masks", ABLATE, of=("run", "bases", "interactions")),
    Kept("sparsity.parquet", "measures of sparsity", STUDY, of=("run", "bases", "interactions")),
    Kept("required.parquet", "edges required", STUDY, of=("run", "bases", "interactions")),
    Kept("rebuilt.parquet", "shares rebuilt", STUDY, of=("run", "bases")),
    Kept("spliced.parquet", "scores on what is rebuilt", STUDY, of=("run", "bases")),
    Kept("beside.parquet", "strengths beside bases", STUDY, of=("run", "bases", "interactions")),
    Kept("agreement.parquet", "agreement of modules", STUDY, of=("run", "bases", "interactions")),
    Kept("modules.parquet", "modules beside chance", STUDY, of=("run", "bases", "interactions")),
    Kept("predicted.parquet", "predictions", STUDY, of=("run", "bases")),
    Kept("matches-*.parquet", "matches", "match RUN OTHER", of=("bases",)),
)


def kept_as(path: Path) -> Kept:
    """Return what a file of a run folder is. Raises LookupError for a name that is none of KEPT.

    >>> kept_as(Path("my-run/matches-0123456789ab-ba9876543210.parquet")).holds
    'matches'
    """
    for kept in KEPT:
        if fnmatchcase(path.name, kept.pattern):
            return kept
    raise LookupError(f"{path.name!r} is no file of a run folder: lib_graph.run.kept.KEPT has all.")


def made_from(path: Path) -> dict[str, Any] | None:
    """Return the origin of a file; None if there is no such file, or it does not say."""
    if not path.is_file():
        return None
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="numpy") as file:
                text = (file.metadata() or {}).get("made_from")
        else:
            text = (pq.read_schema(path).metadata or {}).get(b"lib_graph.made_from")
        return None if text is None else json.loads(text)
    except (OSError, ValueError, pa.ArrowException, SafetensorError):
        return None


def differing(found: Origin, origin: Origin) -> list[str]:
    """Return the fields in which two origins differ.

    >>> differing({"run": "a", "count": 3}, {"run": "a", "count": 5, "of": "b"})
    ['count', 'of']
    """
    every = sorted({*found, *origin})
    return [name for name in every if found.get(name) != origin.get(name)]


def finished(out: Path, origin: Origin, progress: Progress = USUAL) -> Run | None:
    """Return the run in a folder if it is whole, and None where there is some of it or nothing.

    Raises ConflictError if what is there is another run or part of one, naming what differs, and
    RunError if the run is damaged.
    """
    advice = "Choose another --out, or --replace what is there."
    run = Run.open(out) if (out / "manifest.json").exists() else None
    for path in (out / name for name in DATA_FILES):
        found = made_from(path)
        if found is None and path.exists():
            raise ConflictError(f"{str(path)!r} is damaged or no part of a run. {advice}")
        if found is not None and (fields := differing(found, origin)):
            raise ConflictError(
                f"{str(out)!r} holds another run: it differs in {', '.join(fields)}. {advice}"
            )
    if run is not None:
        progress.say(f"{out} is up to date: run {run.id}.")
    return run


def clear(out: Path) -> None:
    """Delete the run in a folder, and what was found of it since: nothing of it fits another.

    So goes what verbs have not finished. What people have written stays, and so does what a build
    has not finished: it is taken up by the same build.
    """
    for folder in out.glob(f"{UNFINISHED}-*"):
        shutil.rmtree(folder)
    for kept in KEPT:
        if not kept.stays:
            for path in out.glob(kept.pattern):
                path.unlink()


def up_to_date(
    paths: Iterable[Path], origin: Origin, *, replace: bool = False, progress: Progress = USUAL
) -> bool:
    """Return whether all of some files are there, made from this; False if they are replaced.

    Raises ConflictError, naming what differs, if one was made from something else.
    """
    paths = list(paths)
    if replace:
        return False
    for path in paths:
        found = made_from(path)
        if path.exists() and (fields := differing(found or {}, origin)):
            raise ConflictError(
                f"{str(path)!r} holds other {kept_as(path).holds}: they differ in "
                f"{', '.join(fields)}. --replace makes them anew."
            )
    there = all(path.exists() for path in paths)
    if there:
        progress.say(f"{paths[0]} is up to date.")
    return there


def graph_of(run: Run, *fields: str) -> dict[str, str]:
    """Return what says which graph something was found in: run, bases and interactions.

    Those are the run's id and the SHA-256 of its files; with `fields` only these.
    """
    files = run.manifest.files
    every = {
        "run": run.id,
        "bases": files["bases.safetensors"],
        "interactions": files["interactions.parquet"],
    }
    return {name: every[name] for name in fields or every}


def checked_origin(run: Run, path: Path) -> dict[str, Any]:
    """Return the origin of a file in the folder of a run, where that is of this very run.

    A field of the origin may be a mapping by run, as in what two runs have in common.

    Raises RunError if there is no such file, or it is damaged or of another build.
    """
    kept = kept_as(path)
    if not path.is_file():
        raise RunError(f"{str(run.path)!r} has no {kept.holds}. Make them with {_verb(run, kept)}.")
    origin = made_from(path) or {}
    for name, expected in graph_of(run, *kept.of).items():
        found = origin.get(name)
        if expected != (found.get(run.id) if isinstance(found, dict) else found):
            raise RunError(
                f"{str(path)!r} is damaged, or of another build than that of run {run.id}. Make "
                f"it again with {_verb(run, kept, ' --replace')}, or delete it."
            )
    return origin


def read_rows(run: Run, path: Path, schema: pa.Schema, filters: Filters = ()) -> pd.DataFrame:
    """Return the rows of a file in the folder of a run; with `filters`, some of them.

    Raises what `checked_origin` does, and RunError if the file is damaged.
    """
    checked_origin(run, path)
    try:
        frame = pq.read_table(path, schema=schema, filters=[*filters] or None).to_pandas()
    except (OSError, pa.ArrowException) as error:
        again = _verb(run, kept_as(path), " --replace")
        raise RunError(
            f"{str(path)!r} cannot be read ({error}). Make it again with {again}."
        ) from error
    assert isinstance(frame, pd.DataFrame)
    return frame


def _verb(run: Run, kept: Kept, options: str = "") -> str:
    """Return the command that makes something in the folder of a run, as one writes it."""
    verb = kept.verb.replace("RUN", shlex.quote(str(run.path)))
    return f"'lib-graph {verb}{options}'"
