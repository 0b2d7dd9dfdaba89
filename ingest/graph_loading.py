"""Load attribution graphs of prompts, a file or a folder of them, each as a run of its own.

A graph is read and checked whole before anything of it is loaded. Of a folder, what can be read is
loaded in one go, and what cannot is named in the end.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from ingest.graphs.reading import read_graph
from ingest.graphs.tables import write_run
from ingest.loading import LoadReport, load
from ingest.store import using_store
from lib_graph.errors import RunError
from lib_graph.support.arguments import checked
from lib_graph.support.progress import SILENT, Progress
from lib_graph.support.texts import one_line

__all__ = ["graph_files", "load_graphs"]

SUFFIXES = (".json", ".json.gz")
INDEX = "graph-metadata.json"


def graph_files(path: Path) -> list[Path]:
    """Return the files of a folder that may be graphs, or the one that `path` is.

    Raises RunError if there is none.
    """
    if not path.is_dir():
        return [path]
    files = sorted(
        file for file in path.iterdir()
        if file.is_file() and file.name.endswith(SUFFIXES) and file.name != INDEX
    )  # fmt: skip
    if not files:
        raise RunError(
            f"{str(path)!r} is no run folder (it has no manifest.json), and has no graphs "
            "(*.json, *.json.gz)."
        )
    return files


@checked
def load_graphs(
    path: str | Path,
    store: object = None,
    *,
    replace: bool = False,
    progress: Progress = SILENT,
) -> Iterator[LoadReport]:
    """Yield what was done for each graph of a file or a folder, in the order of their names.

    An embedded store is written when the last has been yielded: cut off before, it is as it was. Of
    a server, those that were yielded are there. Raises RunError in the end if files are no
    graphs, naming each; those that are graphs are then there. And what `load` raises.
    """
    refused: list[RunError] = []
    files = graph_files(Path(path))
    with (
        using_store(store) as graph,
        tempfile.TemporaryDirectory(prefix="lib-graph-") as folder,
        ExitStack() as writing,
        progress.stage("graphs", len(files)) as advance,
    ):
        for number, file in enumerate(files):
            try:
                run = write_run(read_graph(file), Path(folder, str(number)))
            except RunError as error:
                refused.append(error)
            else:
                writing.enter_context(graph.writing())  # not before: it puts files beside a store
                yield load(run, graph, replace=replace)
            advance(1)
    if refused and len(files) == 1:
        raise refused[0]
    if refused:
        count = f"{len(refused)} of {len(files)} files {'was' if len(refused) == 1 else 'were'}"
        raise RunError(f"{count} left out: {'; '.join(map(one_line, refused))}.")
