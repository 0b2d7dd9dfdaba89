"""The notebooks in examples/: all of them run, and what is kept of their outputs can be shown."""

import base64
import json
import re
from pathlib import Path

import nbformat
import pytest

from queries.comparing.study_tables import Study
from queries.views.study import study_tables
from tests.data import reference_data
from tools.notebooks import EXAMPLES, executed

NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


def printed(notebook):
    """Return what the cells print, and how many pictures they show."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    text = "".join(output.text for output in outputs if output.output_type == "stream")
    return text, sum("image/png" in output.get("data", {}) for output in outputs)


def numbers(pattern, text):
    (found,) = re.findall(pattern, text)
    return [float(number.replace(",", "")) for number in found]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_modular_addition(tmp_path):
    notebook = executed(EXAMPLES / "modular-addition.ipynb", tmp_path)
    text, pictures = printed(notebook)
    tables = "".join(
        output.get("data", {}).get("text/html", "")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )
    alone, whole, random = numbers(
        r"alone +([\d.]+)\n.* network +([\d.]+)\n.* circuits +([\d.]+)", text
    )
    assert whole - 0.01 <= alone
    assert random < 0.1
    required, most = numbers(r"([\d,]+) of ([\d,]+) interactions are required", text)
    assert required < 0.1 * most
    assert len(re.findall(r"<td>ln1\.0/\S+ → [^<]* → output/5\b", tables)) == 5
    assert pictures == 3
    assert (tmp_path / "modular-addition.html").stat().st_size < 2_000_000


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_language_model(tmp_path, monkeypatch):
    monkeypatch.setenv("LIB_GRAPH_EXAMPLE_MODEL", str(reference_data("stories260k")))
    stories = reference_data("tinystories/stories.txt")
    monkeypatch.setenv("LIB_GRAPH_EXAMPLE_TEXT", str(stories))
    text, pictures = printed(executed(EXAMPLES / "language-model.ipynb", tmp_path))
    assert len(re.findall(r"^ *-?\d+\.\d\d  [^«]*«", text, re.MULTILINE)) == 6
    assert len(re.findall(r"^0\.\d+ → ln1\.0/.* → '.+'$", text, re.MULTILINE)) == 5
    assert pictures == 2


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_module_of_your_own(tmp_path):
    """Two features of the last layer, each with a task of its own."""
    text, pictures = printed(executed(EXAMPLES / "your-own-module.ipynb", tmp_path))
    shares = re.findall(r"first task by ([\d.]+), with the second by ([\d.]+)", text)
    (one, two), (other_one, other_two) = (map(float, pair) for pair in shares)
    assert max(one, two) > 0.7 > 0.3 > min(one, two)
    assert (one > two) != (other_one > other_two)
    kept, score, whole, random = numbers(
        r"(\d+) of \d+ interactions keep an accuracy of ([\d.]+)\n.* ([\d.]+), .* ([\d.]+)\n", text
    )
    assert kept < 60
    assert random < 0.5 < whole - 0.0101 <= score
    assert pictures == 2


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_results_on_language_models(tmp_path):
    """All that is printed is tables of the command's results, and all of their kinds are."""
    text, pictures = printed(executed(EXAMPLES / "language-models-results.ipynb", tmp_path))
    assert text == results_printed()
    assert pictures == 4


def results_printed():
    """Return the tables of the studies in docs that the notebook is to print."""
    folder = EXAMPLES.parent / "docs" / "language-models-results"
    files = sorted(folder.rglob("results.json"))
    studies = [Study.of_json(json.loads(file.read_text(encoding="utf-8"))) for file in files]
    titles = ("In short", "What is asked", "Sparsity against PCA",
              "Dictionaries at equal reconstruction", "Dictionaries in place of layers",
              "Edges required", "Modules", "Modules and parts of the network",
              "Predicted by words", "Over seeds")  # fmt: skip
    tables = [study_tables(study).get(title) for title in titles for study in studies]
    return "".join(f"{table}\n\n" for table in tables if table)


@pytest.mark.slow
def test_what_is_kept_of_the_results_is_what_the_command_wrote():
    notebook = nbformat.read(EXAMPLES / "language-models-results.ipynb", as_version=4)
    assert printed(notebook)[0] == results_printed()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_kept_can_be_shown_anywhere(path):
    notebook = nbformat.read(path, as_version=4)
    text, pictures = printed(notebook)
    assert text
    assert pictures >= 2
    assert not re.search(r"(/tmp|/home|/root|/Users|site-packages)\b", path.read_text())
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error"
            assert len(base64.b64decode(output.get("data", {}).get("image/png", ""))) < 100_000
        for link in re.findall(r"\]\((\.\./[^)]+)\)", cell.source):
            assert (Path(EXAMPLES) / link).is_file()
