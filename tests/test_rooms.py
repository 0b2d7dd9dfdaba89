"""Who may import what, beyond what the linter of imports sees (pyproject.toml)."""

import pkgutil
import subprocess
import sys

import ingest
import queries

# these run networks: `reproduce` and `demo` build, and compare with what was published
WITH_TORCH = ("queries.comparing.reproduction", "queries.cli.reproduce", "queries.cli.demo")


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


def test_what_asks_a_store_never_loads_torch():
    names = [*modules(ingest), *modules(queries)]
    assert len(names) > 60
    loaded = loaded_by(names)
    assert {*names} <= loaded
    assert "torch" not in loaded


def test_the_command_imports_no_verb_before_it_is_used():
    loaded = loaded_by(["queries.cli.main"])
    assert not {"torch", "pandas", "neo4j", "kglite", "rich", "pydantic"} & loaded
