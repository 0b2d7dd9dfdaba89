"""Networks that lib-graph knows how to load, and the one it ships."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lib_graph.errors import ModelError
from lib_graph.networks import modular_addition
from lib_graph.networks.checkpoint import read_json
from lib_graph.networks.subject import Kinds, Subject

__all__ = ["Kinds", "Subject", "load_subject", "shipped_model"]

ADAPTERS: dict[str, Callable[[Path], Subject]] = {"HookedTransformer": modular_addition.load}
"""`architecture` of config.json -> what loads such a folder"""


def load_subject(folder: str | Path) -> Subject:
    """Return the network in a folder (model.safetensors and config.json) with its data and layers.

    Raises ModelError if the folder's files are missing or broken, or if the architecture is none
    that lib-graph knows.

    >>> list(load_subject(shipped_model()).layers)
    ['ln1.0', 'ln2.0', 'unembed', 'output']
    """
    folder = Path(folder)
    architecture = read_json(folder).get("architecture")
    if not isinstance(architecture, str) or architecture not in ADAPTERS:
        known = ", ".join(map(repr, ADAPTERS))
        raise ModelError(
            f"{str(folder)!r} is a network of architecture {architecture!r}. Supported: {known} "
            "(the one-layer transformer of 'lib-graph train')."
        )
    return ADAPTERS[architecture](folder)


def shipped_model() -> Path:
    """Return the folder of the model that comes with lib-graph: (a + b) mod 113."""
    return Path(__file__).parent / "shipped" / "modular-addition"
