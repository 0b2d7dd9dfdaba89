"""PyTorch stage: features and interaction strengths of a network, as a run folder.

>>> import lib_graph
>>> sorted(lib_graph.__all__)
['Bench', 'Evaluation', 'Options', 'Run', 'Subject', 'Text', 'ablate_circuit', 'ablate_edges',
 'ablate_nodes', 'build', 'find_examples', 'load_subject', 'match_runs', 'read_bases',
 'read_dictionaries', 'shipped_model', 'smallest_circuit', 'trace']
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lib_graph.analysis.ablation import (
        Bench,
        ablate_circuit,
        ablate_edges,
        ablate_nodes,
        smallest_circuit,
    )
    from lib_graph.analysis.examples import find_examples
    from lib_graph.analysis.match import match_runs
    from lib_graph.analysis.trace import trace
    from lib_graph.building.build import build
    from lib_graph.building.options import Options
    from lib_graph.data.evaluation import Evaluation
    from lib_graph.data.text import Text
    from lib_graph.dictionaries import read_dictionaries
    from lib_graph.dictionaries.bases_file import read_bases
    from lib_graph.networks import Subject, load_subject, shipped_model
    from lib_graph.run import Run

__all__ = [
    "Bench",
    "Evaluation",
    "Options",
    "Run",
    "Subject",
    "Text",
    "ablate_circuit",
    "ablate_edges",
    "ablate_nodes",
    "build",
    "find_examples",
    "load_subject",
    "match_runs",
    "read_bases",
    "read_dictionaries",
    "shipped_model",
    "smallest_circuit",
    "trace",
]

_HOME = {
    "Bench": "lib_graph.analysis.ablation",
    "Evaluation": "lib_graph.data.evaluation",
    "Options": "lib_graph.building.options",
    "Run": "lib_graph.run",
    "Subject": "lib_graph.networks",
    "Text": "lib_graph.data.text",
    "ablate_circuit": "lib_graph.analysis.ablation",
    "ablate_edges": "lib_graph.analysis.ablation",
    "ablate_nodes": "lib_graph.analysis.ablation",
    "build": "lib_graph.building.build",
    "find_examples": "lib_graph.analysis.examples",
    "load_subject": "lib_graph.networks",
    "match_runs": "lib_graph.analysis.match",
    "read_bases": "lib_graph.dictionaries.bases_file",
    "read_dictionaries": "lib_graph.dictionaries",
    "shipped_model": "lib_graph.networks",
    "smallest_circuit": "lib_graph.analysis.ablation",
    "trace": "lib_graph.analysis.trace",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is used: a build needs torch, and `--help` does not."""
    if name not in _HOME:
        raise AttributeError(f"module 'lib_graph' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    """Show what is public, also before it is imported."""
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
