"""The run folder: what a build leaves, and all that ingest and queries know of a network.

    RUN/manifest.json          what was built, from what, and how; written last
    RUN/features.parquet       a row per feature, the constant feature included
    RUN/interactions.parquet   a row per interaction, a row group per section
    RUN/bases.safetensors      rotation, inverse, mean, pca_eigenvalues, importance of each layer
    RUN/labels.json            labels that people have written, when they have
    RUN/examples.parquet       inputs on which features are largest, when made
    RUN/histograms.parquet     how often features take which values, made with the examples
    RUN/ablation.parquet       scores of the network with a part of its graph, when made
    RUN/masks.parquet          the interactions that were required then
    RUN/matches-RUN-OTHER.parquet  features like those of another run, when made

`lib_graph.run.kept` says what each was made from, and what becomes of it when the run is replaced.

A folder without a manifest is an unfinished run. The manifest holds the SHA-256 of every other
file it vouches for, so a damaged or mixed-up folder is noticed when it is opened.
"""

from lib_graph.run.folder import Run
from lib_graph.run.schema import (
    FEATURES,
    INTERACTIONS,
    DataInfo,
    FeatureId,
    LayerInfo,
    Loading,
    Manifest,
    ModelInfo,
)

__all__ = [
    "FEATURES",
    "INTERACTIONS",
    "DataInfo",
    "FeatureId",
    "LayerInfo",
    "Loading",
    "Manifest",
    "ModelInfo",
    "Run",
]
