"""What the papers' authors published of modular addition, to hold our own numbers against.

The graphs of three trained networks, seeds 0 to 2, in the bases LIB and PCA, of their repository
(MIT). The figures here were taken from those graphs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from lib_graph.dictionaries.rib import folded_basis
from lib_graph.errors import RunError
from lib_graph.method.basis import LayerBasis

__all__ = [
    "EDGES_REQUIRED",
    "FIRST",
    "MODULARITY",
    "PURITY",
    "REPOSITORY",
    "SEEDS",
    "WEIGHTS",
    "published_bases",
]

REPOSITORY = "https://github.com/ApolloResearch/rib"
SEEDS = ("seed0", "seed1", "seed2")
WEIGHTS = {
    "seed0": "c370788921a3c5760c871e7b27b4355a3f92c8bfcc0179ecba1507203f17eea5",
    "seed1": "82935be604b9878bba57b1fa631bc670c144530fafb44e6c9d2e5001bbfe09c6",
    "seed2": "2dbd54227fa806d2ccbeef04db7cccc5f98c4fe130e1494071a1b7f0ae60e0d3",
}
"""seed → SHA-256 of its network's weights, as manifest.json has it"""

FIRST = 8  # features of a layer whose purity counts

EDGES_REQUIRED = {
    "lib": {"ln1.0": (133, 80, 71), "ln2.0": (82, 75, 71), "unembed": (633, 699, 610)},
    "pca": {"ln1.0": (167, 76, 99), "ln2.0": (114, 53, 71), "unembed": (682, 734, 598)},
}
"""basis → source layer → of each seed; at δ = 0.001 of the accuracy"""

MODULARITY = {"lib": 0.264, "pca": 0.312}
"""basis → mean over the seeds of Q, without the layer `output`, weights log10(E/ε).

ε is the smallest strength among the number of interactions that bisection tried last. For some
sections that is one less than the number required, which `lib-graph communities --weights log`
takes: so taken, the same graphs give 0.261 and 0.311.
"""

PURITY = {
    "lib": {"ln1.0": 0.86, "ln2.0": 0.84, "unembed": 0.77},
    "pca": {"ln1.0": 0.78, "ln2.0": 0.90, "unembed": 0.79},
}
"""basis → layer → mean over the seeds and the first features: how much one frequency explains"""


def published_bases(file: Path) -> dict[str, LayerBasis]:
    """Return the bases of a published graph, by layer.

    Raises RunError if the file cannot be read as such a graph.
    """
    try:
        tensors = load_file(file)
        return {layer: _basis(tensors, layer) for layer in PURITY["lib"]}
    except (OSError, SafetensorError, KeyError) as error:
        raise RunError(
            f"{str(file)!r} cannot be read as a published graph ({error}). Take it from "
            f"{REPOSITORY}, or leave it out."
        ) from error


def _basis(tensors: Mapping[str, Tensor], layer: str) -> LayerBasis:
    rotation, inverse, mean = (tensors[f"{layer}.{part}"] for part in ("C", "C_pinv", "mean"))
    return folded_basis(rotation, inverse, mean, tensors.get(f"{layer}.Lambda"))
