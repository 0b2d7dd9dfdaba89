"""The pages of docs/ that say what there is, held to the code."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tools import reference, rooms

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PACKAGES = ("lib_graph", "ingest", "queries")


def public():
    """Return the names that docs/api.md promises, by module."""
    rows = re.findall(r"^\| `([\w.]+)` \| (`.*`) \|$", (DOCS / "api.md").read_text(), re.MULTILINE)
    return {module: re.findall(r"`(\w+)`", names) for module, names in rows}


@pytest.mark.parametrize(
    "module", [*PACKAGES, "lib_graph.run", "lib_graph.kinds", "lib_graph.errors"]
)
def test_the_public_names_are_those_of_the_page(module):
    found = importlib.import_module(module)
    assert public()[module] == found.__all__
    assert all(getattr(found, name).__doc__ for name in found.__all__ if name.isidentifier())


def test_all_names_of_the_page_are_there():
    for module, names in public().items():
        found = importlib.import_module(module)
        assert all(hasattr(found, name) for name in names)


def python_of(path):
    """Yield the Python of a page or a notebook."""
    if path.suffix == ".ipynb":
        cells = nbformat.read(path, as_version=4).cells
        code = (cell.source for cell in cells if cell.cell_type == "code")
        yield from (re.sub(r"^%.*$", "", source, flags=re.MULTILINE) for source in code)
    else:
        yield from re.findall(
            r"^```python[^\n]*\n(.*?)^```$", path.read_text(), re.DOTALL | re.MULTILINE
        )


def imported(source):
    """Yield the module and the name of what a text imports or takes from our packages."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in PACKAGES:
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            ours = (a.name for a in node.names if a.name.split(".")[0] in PACKAGES)
            yield from ((name, None) for name in ours)
        elif isinstance(node, ast.Attribute) and getattr(node.value, "id", None) in PACKAGES:
            yield from [(node.value.id, node.attr)] if not node.attr.startswith("__") else []


SHOWN = [
    ROOT / "README.md",
    *sorted(DOCS.glob("*.md")),
    *sorted((ROOT / "examples").glob("*.ipynb")),
]


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: path.name)
def test_what_is_shown_to_people_uses_public_names_alone(path):
    promised = public()
    for source in python_of(path):
        for module, name in imported(source):
            assert module in promised, module
            assert name is None or name in promised[module], f"{module}.{name}"


@pytest.mark.slow
def test_the_session_of_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (source,) = python_of(DOCS / "api.md")
    exec(source, {})
    assert "</svg>" in (tmp_path / "five.svg").read_text(encoding="utf-8")


def test_the_command_line_is_that_of_the_page():
    # in a process of its own: click remembers how a command was called first, with -h or without
    program = "from tools import reference; print(reference.page(), end='')"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True
    )
    assert reference.PAGE.read_text(encoding="utf-8") == done.stdout.decode()


@pytest.mark.slow
def test_the_rooms_are_those_of_the_page():
    page = rooms.PAGE.read_text(encoding="utf-8")
    assert page == rooms.with_tables(page, rooms.imports())
    assert page.count("<!-- /rooms -->") == len(PACKAGES)


def test_all_rooms_have_a_place_in_the_picture():
    assert set(rooms.imports()) == set(rooms.levels())
    picture = rooms.PICTURE.read_text(encoding="utf-8")
    assert all(
        f"<!-- {name.split('.')[1]} -->" in picture for name in rooms.levels() if "." in name
    )


def test_the_glossary_says_where_things_are():
    rows = re.findall(
        r"^\| ([^|]+) \| ([^|]+) \| `([^`]+)` \|$", (DOCS / "glossary.md").read_text(), re.M
    )
    assert len(rows) > 30
    assert [word for word, _, _ in rows] == sorted((word for word, _, _ in rows), key=str.lower)
    for _, _, place in rows:
        assert (ROOT / place).exists(), place
