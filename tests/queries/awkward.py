"""A circuit with labels that no file likes, missing values and a constant, and its files."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd

from queries.circuits.circuit import Circuit
from queries.export import Format, export_circuit

__all__ = ["AWKWARD", "awkward_circuit", "written"]

AWKWARD = ["", "same", "same", "a\x00b\x1b[1m<&\"'>\ufffe", "Δ – ü", "yes\nno", "$x_{", "]]>"]


def awkward_circuit() -> Circuit:
    """Return the circuit."""
    features = pd.DataFrame(
        {
            "id": [f"r/{layer}/{i}" for layer in "ab" for i in range(4)],
            "layer": [layer for layer in "ab" for _ in range(4)],
            "layer_index": [n for n in (0, 2) for _ in range(4)],
            "index": [*range(4)] * 2,
            "role": ["constant", *["feature"] * 7],
            "importance": [np.nan, *np.linspace(1e-300, 3, 7)],
            "variance": [np.nan, *np.linspace(0, 1, 7)],
            "label": AWKWARD,
        }
    )
    interactions = pd.DataFrame(
        {
            "source": ["r/a/0", "r/a/1", "r/a/1", "r/a/3"],
            "target": ["r/b/0", "r/b/0", "r/b/3", "r/b/1"],
            "strength": [1.5, 0.1, 2e-9, 7.0],
            "stderr": [np.nan, 1e-310, 0.2, np.inf],
            "effect": [-1.0, 0.25, np.nan, -3.0],
            "share": [np.nan, 0.5, 0.25, 0.125],
            "source_label": "",
            "target_label": "",
        }
    )
    return Circuit("r", {"target": "b/0\x07", "min_share": 0.1}, features, interactions)


def written(circuit: Circuit, format: Format) -> bytes:
    """Return what is written of a circuit in a format."""
    file = io.BytesIO()
    export_circuit(circuit, file, format=format)
    return file.getvalue()
