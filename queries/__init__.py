"""Graph store → circuits.

>>> import queries
>>> sorted(queries.__all__)
['Circuit', 'Communities', 'Graph', 'Path', 'Paths', 'Statement', 'Study', 'Table', 'draw_circuit',
 'draw_importances', 'draw_modules', 'open_graph', 'study_pictures', 'study_tables']
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from queries.asking.statements import Statement
    from queries.asking.tables import Table
    from queries.circuits.circuit import Circuit
    from queries.circuits.paths import Path, Paths
    from queries.comparing.study_tables import Study
    from queries.graph import Graph, open_graph
    from queries.modules.communities import Communities
    from queries.pictures.charts import draw_importances, draw_modules
    from queries.pictures.circuit import draw_circuit
    from queries.pictures.study import study_pictures
    from queries.views.study import study_tables

__all__ = [
    "Circuit",
    "Communities",
    "Graph",
    "Path",
    "Paths",
    "Statement",
    "Study",
    "Table",
    "draw_circuit",
    "draw_importances",
    "draw_modules",
    "open_graph",
    "study_pictures",
    "study_tables",
]

_MODULES = {
    "Circuit": "queries.circuits.circuit",
    "Communities": "queries.modules.communities",
    "Graph": "queries.graph",
    "Path": "queries.circuits.paths",
    "Paths": "queries.circuits.paths",
    "Statement": "queries.asking.statements",
    "Study": "queries.comparing.study_tables",
    "Table": "queries.asking.tables",
    "draw_circuit": "queries.pictures.circuit",
    "draw_importances": "queries.pictures.charts",
    "draw_modules": "queries.pictures.charts",
    "open_graph": "queries.graph",
    "study_pictures": "queries.pictures.study",
    "study_tables": "queries.views.study",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is used, so that the command line starts at once."""
    if name not in _MODULES:
        raise AttributeError(f"module 'queries' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    """Show what is public, also before it is imported."""
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
