"""Who may import what, beyond what the linter of imports sees (pyproject.toml)."""

import ast
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ingest
import lib_graph
import queries

ROOT = Path(__file__).parents[1]

# these run networks: `reproduce` and `demo` build, and compare with what was published
WITH_TORCH = (
    "queries.comparing.reproduction",
    "queries.comparing.language_models",
    "queries.comparing.studied",
    "queries.comparing.study_modules",
    "queries.cli.reproduce",
    "queries.cli.demo",
)


def modules(package):
    found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    return [module.name for module in found if module.name not in WITH_TORCH]


def loaded_by(names):
    """Return the modules that a fresh process has loaded once it has imported these."""
    program = f"import importlib, sys; [importlib.import_module(n) for n in {names!r}]"
    program += "; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.slow
def test_what_asks_a_store_never_loads_torch():
    names = [*modules(ingest), *modules(queries)]
    assert len(names) > 60
    loaded = loaded_by(names)
    assert {*names} <= loaded
    assert "torch" not in loaded


def test_the_command_imports_no_verb_before_it_is_used():
    loaded = loaded_by(["queries.cli.main"])
    assert not {"torch", "pandas", "neo4j", "kglite", "rich", "pydantic"} & loaded


@pytest.mark.parametrize("package", [lib_graph, ingest, queries])
def test_dir_shows_what_is_public(package):
    assert [name for name in dir(package) if not name.startswith("__")] == package.__all__


def test_one_word_means_one_thing():
    homes = {}
    for path in ROOT.glob("[!.]*/**/*.py"):
        if path.parts[len(ROOT.parts)] in ("lib_graph", "ingest", "queries"):
            for name in re.findall(r"^class ([A-Z]\w*)", path.read_text(), re.MULTILINE):
                homes.setdefault(name, []).append(str(path.relative_to(ROOT)))
    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}


# they hold what they have computed, and are handed to nobody
CHANGING = {"Samples", "MaskedSection"}


def dataclasses():
    """Yield the name and the decorator of every dataclass of the packages."""
    for package in (lib_graph, ingest, queries):
        for file in Path(package.__path__[0]).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                for mark in node.decorator_list if isinstance(node, ast.ClassDef) else ():
                    text = ast.unparse(mark)
                    if text.startswith("dataclass"):
                        yield node.name, text


def test_what_passes_between_stages_is_frozen():
    found = dict(dataclasses())
    assert len(found) > 80
    assert {name for name, mark in found.items() if "frozen=True" not in mark} == CHANGING
