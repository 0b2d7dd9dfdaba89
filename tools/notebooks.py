"""Run the notebooks in examples/: `python -m tools.notebooks` writes them with their outputs.

The one on language models needs LIB_GRAPH_EXAMPLE_MODEL and LIB_GRAPH_EXAMPLE_TEXT.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from lib_graph.support.notebooks import MARK

EXAMPLES = Path(__file__).parents[1] / "examples"


def executed(notebook: Path, folder: Path) -> nbformat.NotebookNode:
    """Return a notebook with the outputs of its cells, run in a folder of its own."""
    found = nbformat.read(notebook, as_version=4)
    where = {"metadata": {"path": str(folder)}}
    NotebookClient(found, timeout=600, resources=where, record_timing=False).execute()
    found.metadata.pop("language_info")  # it names the version of Python
    for cell in found.cells:
        if cell.cell_type == "code":
            cell.outputs = [each for each in cell.outputs if _stays(each)]
    return found


def _stays(output: nbformat.NotebookNode) -> bool:
    """Return whether an output says the same each time: progress and warnings do not."""
    return output.get("name") != "stderr" and MARK not in output.get("metadata", {})


def main() -> None:
    """Write the notebooks named, or all of them, with their outputs."""
    for notebook in map(Path, sys.argv[1:] or sorted(EXAMPLES.glob("*.ipynb"))):
        with tempfile.TemporaryDirectory() as folder:
            nbformat.write(executed(notebook, Path(folder)), notebook)


if __name__ == "__main__":
    main()
