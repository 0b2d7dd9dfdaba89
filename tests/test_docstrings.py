"""Public functions say what they raise."""

import ast
import re
from pathlib import Path

import pytest

from lib_graph import errors

ROOT = Path(__file__).parents[1]
FILES = [
    path
    for package in ("lib_graph", "ingest", "queries")
    for path in sorted((ROOT / package).rglob("*.py"))
    if "cli" not in path.parts and path.name != "cli.py"  # a verb's docstring is its help
]


def statements(node):
    """Yield what a function runs itself, not what functions inside it do."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            yield child
            yield from statements(child)


def public_functions(tree):
    """Yield public functions and methods, with what they say; a class speaks for its making."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node, ast.get_docstring(node) or ""
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for method in node.body:
                if isinstance(method, ast.FunctionDef):
                    made = method.name in ("__init__", "__post_init__")
                    if made or not method.name.startswith("_"):
                        yield method, ast.get_docstring(node if made else method) or ""


def silent(path):
    """Yield the functions of a file, and the errors of ours that they raise and do not name."""
    for function, text in public_functions(ast.parse(path.read_text(encoding="utf-8"))):
        for node in statements(function):
            call = node.exc if isinstance(node, ast.Raise) else None
            name = getattr(getattr(call, "func", None), "id", "")
            known = [base.__name__ for base in getattr(errors, name, type).__mro__[:-3]]
            if hasattr(errors, name) and not re.search(rf"\b({'|'.join(known)})\b", text):
                yield function.name, name


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_functions_say_what_they_raise(path):
    assert [*silent(path)] == []


def test_a_function_that_does_not_say_so_is_found(tmp_path):
    source = 'def f():\n    """Do."""\n    raise UsageError("x")\n'
    (tmp_path / "a.py").write_text(source + source.replace("Do.", "Raises LibGraphError."))
    assert [*silent(tmp_path / "a.py")] == [("f", "UsageError")]
