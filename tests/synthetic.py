"""Random run folders, written without PyTorch: what the tests of stores and queries load."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lib_graph.building.frames import shares
from lib_graph.run import Run
from lib_graph.run.histograms import BINS, NAME, write_histograms
from lib_graph.run.kept import graph_of
from lib_graph.run.matches import matches_path, write_matches
from lib_graph.run.writing import write_features, write_interactions, write_manifest


def random_run(
    path: Path,
    widths: tuple[int, ...] = (6, 5, 4, 3),
    *,
    density: float = 0.7,
    pairs: Sequence[Collection[tuple[int, int]]] | None = None,
    seed: int = 0,
    run_id: str | None = None,
    name: str = "synthetic",
    last: str = "raw",
    ties: bool = False,
    base: str | None = None,
    bases: bytes = b"synthetic",
    errors: bool = False,
) -> Run:
    """Write a run of layers `layer.0`, `layer/1`, … with random interactions and open it.

    `widths` counts features without the constant. Layers with an odd number have a slash in their
    name. About `density` of all pairs interact, or those that `pairs` has of each section, as
    (source, target); strengths span six orders of magnitude, or with `ties` are all 1 or 2. `base`
    is the run whose features it is to have; `bases` is what stands for its bases. With `errors` the
    second feature of each layer but a raw one is a transcoder's error.
    """
    rng = np.random.default_rng(seed)
    run_id = run_id or f"{rng.integers(16**12):012x}"
    path.mkdir(parents=True, exist_ok=True)
    names = [f"layer{'/' if i % 2 else '.'}{i}" for i in range(len(widths))]
    raw = [last == "raw" and i == len(widths) - 1 for i in range(len(widths))]
    features = pd.concat(
        [_features(rng, run_id, names[i], i, widths[i], raw[i]) for i in range(len(widths))]
    )
    if errors:
        features.loc[(features["index"] == 2) & (features.role == "feature"), "role"] = "error"
    origin = {"synthetic": seed}
    write_features(path / "features.parquet", features, origin)

    def sections() -> Iterator[pd.DataFrame]:
        for i in range(len(widths) - 1):
            section = _section(
                rng, run_id, names[i : i + 2], widths[i : i + 2], raw[i + 1],
                density if pairs is None else pairs[i],
            )  # fmt: skip
            yield _tied(section, rng) if ties else section

    write_interactions(path / "interactions.parquet", sections(), origin)
    (path / "bases.safetensors").write_bytes(bases)
    layers = [
        {
            "index": i, "name": names[i], "width": widths[i], "pca_rank": widths[i],
            "features": widths[i], "positions": 1, "kind": "raw" if raw[i] else "basis",
        }
        for i in range(len(widths))
    ]  # fmt: skip
    return write_manifest(
        path,
        {
            "run_id": run_id,
            "name": name,
            "created": "2026-01-01T00:00:00+00:00",
            "versions": {},
            "seed": seed,
            "dtype": "float64",
            "config": {},
            "model": {
                "name": "synthetic", "source": "tests", "sha256": "0" * 64, "parameters": 0,
                "biases": (),
            },
            "data": {"name": "synthetic", "sha256": "0" * 64, "samples": 1, "positions": 1},
            "basis": "lib",
            "base": base,
            "layers": layers,
            "cutoffs": {},
            "timings": {},
            "checks": {},
        },
    )  # fmt: skip


def random_histograms(run: Run, seed: int = 0) -> None:
    """Write into a run's folder how often each feature but a constant one takes which values."""
    rng = np.random.default_rng(seed)
    features = run.features
    rows = features[features["role"] != "constant"][["run", "layer", "index"]]
    numbers = rng.integers(0, 1000, (len(rows), BINS + 2))
    found = rows.assign(
        start=rng.standard_normal(len(rows)),
        width=rng.uniform(0.1, 1, len(rows)),
        below=numbers[:, 0],
        above=numbers[:, 1],
        counts=list(numbers[:, 2:]),
    )
    write_histograms(run.path / NAME, [found], graph_of(run, "run", "bases"))


def random_matches(run: Run, other: Run, seed: int = 0, count: int = 3) -> pd.DataFrame:
    """Write random matches of two runs, on the data of the first, into both folders."""
    rng = np.random.default_rng(seed)
    frames = []
    for one, two in zip(run.layers, other.layers, strict=False):
        r = rng.uniform(-1, 1, (one.features, two.features))
        rank, other_rank = (1 + (-abs(r)).argsort(axis).argsort(axis) for axis in (1, 0))
        index, other_index = np.nonzero((rank <= count) | (other_rank <= count))
        columns = {"correlation": r, "rank": rank, "other_rank": other_rank}
        frame = pd.DataFrame({name: x[index, other_index] for name, x in columns.items()})
        places = {"index": index + one.first_index, "other_index": other_index + two.first_index}
        frames.append(frame.assign(layer=one.name, **places))
    found = pd.concat(frames, ignore_index=True).assign(run=run.id, other=other.id)
    bases = {each.id: each.manifest.files["bases.safetensors"] for each in (run, other)}
    origin = {"run": run.id, "other": other.id, "bases": bases, "count": count}
    for each in (run, other):
        write_matches(matches_path(each.path, run.id, other.id), found, origin)
    return found


def _features(
    rng: np.random.Generator, run_id: str, layer: str, index: int, width: int, raw: bool
) -> pd.DataFrame:
    first = 0 if raw else 1
    importance = np.sort(rng.lognormal(0, 2, width))[::-1]
    constant = [None] * first
    return pd.DataFrame(
        {
            "run": run_id,
            "layer": layer,
            "layer_index": index,
            "index": range(first + width),
            "role": ["constant"] * first + ["output" if raw else "feature"] * width,
            "importance": [*constant, *([None] * width if raw else importance)],
            "variance": [*constant, *importance],
            "label": [*constant, *(f"label {i % 3}" for i in range(width))],
            "label_score": [*constant, *rng.random(width)],
        },
        dtype=object,
    )


def _section(
    rng: np.random.Generator,
    run_id: str,
    names: list[str],
    widths: tuple[int, ...],
    raw: bool,
    kept: float | Collection[tuple[int, int]],
) -> pd.DataFrame:
    first = 0 if raw else 1
    source, target = np.meshgrid(
        np.arange(widths[0] + 1), np.arange(first, first + widths[1]), indexing="ij"
    )
    if isinstance(kept, float):
        keep = rng.random(source.shape) < kept
    else:
        keep = np.vectorize(lambda *pair: pair in kept)(source, target)
    source, target = source[keep], target[keep]
    strength = rng.lognormal(0, 2.5, len(source))
    return pd.DataFrame(
        {
            "run": run_id,
            "source_layer": names[0],
            "source": source,
            "target_layer": names[1],
            "target": target,
            "strength": strength,
            "stderr": strength / (10 + np.arange(len(strength))),
            "effect": strength * rng.standard_normal(len(source)),
            "share": shares(strength, target, source == 0),
        }
    )


def _tied(section: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    strength = rng.integers(1, 3, len(section)).astype(float)
    share = shares(strength, section["target"].to_numpy(), section["source"].to_numpy() == 0)
    return section.assign(strength=strength, share=share)
