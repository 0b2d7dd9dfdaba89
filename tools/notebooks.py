"""Run the notebooks in examples/: `python -m tools.notebooks` writes them with their outputs.

The one on language models needs LIB_GRAPH_EXAMPLE_MODEL and LIB_GRAPH_EXAMPLE_TEXT.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[1] / "examples"


def executed(notebook: Path, folder: Path) -> nbformat.NotebookNode:
    """Return a notebook with the outputs of its cells, run in a folder of its own."""
    found = nbformat.read(notebook, as_version=4)
    where = {"metadata": {"path": str(folder)}}
    NotebookClient(found, timeout=600, resources=where, record_timing=False).execute()
    found.metadata.pop("language_info")  # it names the version of Python
    for cell in found.cells:
        if cell.cell_type == "code":  # warnings of libraries, which name their places
            cell.outputs = [each for each in cell.outputs if each.get("name") != "stderr"]
    return found


def main() -> None:
    """Write the notebooks named, or all of them, with their outputs."""
    for notebook in map(Path, sys.argv[1:] or sorted(EXAMPLES.glob("*.ipynb"))):
        with tempfile.TemporaryDirectory() as folder:
            nbformat.write(executed(notebook, Path(folder)), notebook)


if __name__ == "__main__":
    main()
