"""The commands and the Python of the README, run as they stand there."""

import io
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from lib_graph.networks import shipped_model
from queries.cli.main import main
from tests.data import reference_data
from tests.traced import traced_once

__all__ = ["traced_once"]

pytestmark = pytest.mark.xdist_group("neo4j")  # all in one process: they share what was made
ROOT = Path(__file__).parents[1]


def blocks(language, page="README.md"):
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def run(lines, folder, environment=None):
    """Run the lib-graph lines of a block in a folder and return what they print, by line.

    They run in this process: to start one for each, and load PyTorch in it, takes seconds.
    """
    printed = {}
    for line in lines:
        if line.startswith("lib-graph train modular-addition"):
            # minutes: the model that it made is in the package
            shutil.copytree(shipped_model(), folder / "my-model")
        elif line.startswith("lib-graph"):
            printed[line] = printed_by(shlex.split(line)[1:], folder, environment or {})
    return printed


def printed_by(arguments, folder, environment):
    """Return what `lib-graph ARGUMENTS` prints in a folder; it has to succeed."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(folder)
        for name, value in environment.items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as end:
            main(arguments)
    assert not end.value.code, f"{shlex.join(arguments)}\n{err.getvalue()}"
    return out.getvalue()


def test_the_command_is_installed():
    script = Path(sys.executable).parent / "lib-graph"
    shown = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("lib-graph, version ")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A working folder in which the steps of the README have been taken."""
    folder = tmp_path_factory.mktemp("readme")
    steps = next(block for block in blocks("sh") if "lib-graph ingest" in block)
    printed = run(steps.splitlines(), folder)
    return folder, printed


@pytest.mark.slow
def test_the_steps_find_a_circuit(folder):
    folder, printed = folder
    paths = next(out for line, out in printed.items() if line.startswith("lib-graph paths"))
    assert len(paths.splitlines()) == 1 + 5
    assert all("output/5" in line for line in paths.splitlines()[1:])
    assert (folder / "circuit.svg").stat().st_size > 1000
    assert "<graphml" in (folder / "circuit.graphml").read_text()


@pytest.mark.slow
@pytest.mark.neo4j
def test_the_steps_in_neo4j_give_the_same_paths(folder, neo4j_server):
    folder, printed = folder
    neo4j_server.wipe()
    (block,) = blocks("sh neo4j")
    environment = {"NEO4J_URI": neo4j_server.uri, **neo4j_server.settings}
    found = run(block.splitlines(), folder, environment)
    embedded, neo4j = (
        next(out for line, out in lines.items() if line.startswith("lib-graph paths"))
        for lines in (printed, found)
    )
    assert neo4j.splitlines()[: len(embedded.splitlines())] == embedded.splitlines()
    (answer,) = (out for line, out in found.items() if line.startswith("lib-graph cypher"))
    assert len(answer.splitlines()) == 1 + 5


@pytest.mark.slow
def test_the_python(folder, monkeypatch):
    monkeypatch.chdir(folder[0])
    names = {}
    for block in blocks("python"):
        exec(block, names)
    assert len(names["paths"]) == 10
    assert len(names["circuit"]) > 3
    assert (folder[0] / "mlp-run" / "manifest.json").exists()


@pytest.mark.slow
def test_features_circuits_and_questions(folder):
    folder, _ = folder
    pages = blocks("sh", "docs/circuits.md")
    printed = run([line for block in pages for line in block.splitlines()], folder)
    (label,) = (out for line, out in printed.items() if line.endswith("ln2.0/3"))
    assert "Strongest inputs" in label
    (unusual,) = (out for line, out in printed.items() if line.startswith("lib-graph unusual"))
    assert len(unusual.splitlines()) > 1
    (scored,) = (
        out for line, out in printed.items() if "--saved five" in line and "ablate" in line
    )
    assert "40 interactions" in scored
    (hubs,) = (out for line, out in printed.items() if "query hubs" in line)
    assert "ln2.0/" in hubs
    for picture in ("ablation.svg", "five.svg"):
        assert "</svg>" in (folder / picture).read_text()
    (page,) = folder.glob("*.html")
    assert {"five", "unembed"} <= set(re.findall(r"\w+", page.read_text()))
    (compared,) = (out for line, out in printed.items() if line.startswith("lib-graph compare"))
    assert {"lib", "pca"} <= set(compared.split())
    (matches,) = (out for line, out in printed.items() if "query matches" in line)
    assert len(matches.splitlines()) > 1


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_language_model(tmp_path):
    pytest.importorskip("transformers")
    shutil.copytree(reference_data("stories260k"), tmp_path / "stories260k")
    text = reference_data("tinystories/stories.txt").read_text(encoding="utf-8")
    (tmp_path / "stories.txt").write_text(text[:8000])  # minutes: the README takes more of it
    (block,) = blocks("sh stories", "docs/language-models.md")
    printed = run(block.splitlines(), tmp_path)
    (feature,) = (out for line, out in printed.items() if line.startswith("lib-graph feature"))
    assert "«" in feature
    (paths,) = (out for line, out in printed.items() if line.startswith("lib-graph paths"))
    _, *rows, rule = paths.splitlines()
    assert len(rows) == 3
    assert "at most 1" in rule


@pytest.mark.slow
def test_a_network_of_ones_own(tmp_path):
    (file,) = blocks("python mine.py")
    (tmp_path / "mine.py").write_text(file)
    (block,) = blocks("sh mine")
    printed = run(block.splitlines(), tmp_path)
    points = [line.split()[0] for line in next(iter(printed.values())).splitlines()]
    assert {"0:in", "2:in", "output"} <= set(points)
    assert (tmp_path / "mine-run" / "manifest.json").exists()


PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!http|#)([^)#]+)", (ROOT / page).read_text(encoding="utf-8")):
        assert ((ROOT / page).parent / target).exists(), target
