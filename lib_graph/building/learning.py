"""From a network and data to a dictionary for each layer, as `build --basis` takes them."""

from __future__ import annotations

import itertools
import math
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from lib_graph.building.job import cut_or_recorded, first_samples
from lib_graph.cutting.copies import converted, in_precision
from lib_graph.cutting.points import OUTPUT
from lib_graph.dictionaries.bases_file import write_bases
from lib_graph.errors import ModelError, UsageError
from lib_graph.method.network import Layer, Network
from lib_graph.networks import Subject
from lib_graph.networks.training.dictionary import DictionaryRecipe, Learned, learn
from lib_graph.support import defaults
from lib_graph.support.devices import CPU
from lib_graph.support.files import check_new, whole_folder, write_json
from lib_graph.support.memory import format_bytes
from lib_graph.support.progress import USUAL, Progress

__all__ = ["train_dictionaries"]

HELD_OUT = 0.1  # share of the samples, at the end, that dictionaries are judged on
EACH = 10  # positions that training needs for each feature
ROWS = 4096  # positions that are taken through the network at once


def train_dictionaries(
    subject: Subject,
    out: str | Path,
    recipe: DictionaryRecipe | None = None,
    *,
    layers: Iterable[str] | None = None,
    memory: int = defaults.MEMORY,
    progress: Progress = USUAL,
) -> dict[str, Learned]:
    """Return a dictionary for each of a network's layers, written to the folder `out`.

    They are those of `layers`, each a NAME, a POINT or NAME=POINT (default: all of the subject's
    but the last), trained in float32 on the first nine tenths of the samples and judged on the
    rest. The folder gets bases.safetensors, whose dictionaries say which layer they are of, and
    training.json, which says how they came about.

    Raises ConflictError if there is something in `out`, UsageError if there are too few positions
    for the features, not the memory or disk for them, or what `learn` cannot train, ModelError if a
    dictionary explains nothing, and what `with_layers` and `cut` do. Then, and on an interruption,
    nothing is written.
    """
    out, recipe = Path(out), recipe or DictionaryRecipe()
    check_new(out)
    asked = list(subject.layers)[:-1] if layers is None else list(layers)
    subject = subject.with_layers(asked)
    wanted = list(subject.layers)
    network = _network(subject, progress)
    there = [layer for layer in network.layers if layer.name in wanted]
    sizes = {layer.name: _sizes(subject, layer) for layer in there}
    for layer in there:
        _check_size(layer, recipe, *sizes[layer.name])
    _check_room(there, sizes, recipe, memory, out)
    found = _activations(subject, network, there, progress)
    learned = {}
    for name in wanted:
        train, held_out = found.pop(name).split(sizes[name])
        learned[name] = learn(train, held_out, recipe, name=name, progress=progress)
        _look_at(name, learned[name])
    made_from = {
        "model": subject.name,
        "source": subject.source,
        "data": subject.data_name,
        **{name: value for name, value in subject.settings.items() if value is not None},
        **asdict(recipe),
        "torch": torch.__version__,
    }
    figures = {
        name: {
            "point": subject.layers[name],
            "features": each.dictionary.features,
            **dict(zip(("trained_on", "held_out"), sizes[name], strict=True)),
            "explained": each.explained,
            "active": each.active,
            "dead": each.dead,
        }
        for name, each in learned.items()
    }
    with whole_folder(out) as folder:
        dictionaries = {name: each.dictionary for name, each in learned.items()}
        write_bases(folder / "bases.safetensors", dictionaries, made_from)
        write_json(folder / "training.json", {**made_from, "layers": figures})
    return learned


def _network(subject: Subject, progress: Progress) -> Network:
    """Return a subject's network in float32, cut at its layers; if it is one, at the output too."""
    if not len(subject.inputs[0]):
        raise ModelError(f"The data {subject.data_name!r} is empty. Give at least one sample.")
    if len(subject.layers) == 1 and OUTPUT not in subject.layers.values():
        (name,) = subject.layers
        subject = subject.with_layers([f"{name}={subject.layers[name]}", OUTPUT])
    module = in_precision(subject.module, torch.float32, CPU)
    example = tuple(converted(first_samples(x), torch.float32) for x in subject.inputs)
    return cut_or_recorded(subject, module, example, None, partial=False, progress=progress)


def _held_out(samples: int) -> int:
    """Return how many samples are held out: at least one."""
    return max(round(HELD_OUT * samples), 1)


def _sizes(subject: Subject, layer: Layer) -> tuple[int, int]:
    """Return how many positions of a layer are trained on, and how many are held out."""
    samples = len(subject.inputs[0])
    held_out = _held_out(samples)
    counted = subject.counted
    if counted is not None and counted.shape[1] == layer.positions:
        return int(counted[:-held_out].sum()), int(counted[-held_out:].sum())
    return (samples - held_out) * layer.positions, held_out * layer.positions


def _check_size(layer: Layer, recipe: DictionaryRecipe, train: int, held_out: int) -> None:
    """Raise UsageError if there are too few positions of a layer for its features."""
    features = recipe.expansion * layer.width
    if train < EACH * features or held_out < 2:
        rows = math.ceil(EACH * features / layer.positions)
        rows = next(n for n in itertools.count(rows) if n - _held_out(n) >= rows)
        raise UsageError(
            f"{features} features ({recipe.expansion} × {layer.width} coordinates) of layer "
            f"{layer.name!r} need {EACH} positions each to train on, {EACH * features}, beside "
            f"those that are held out; there are {train} and {held_out}. Take {rows} samples of "
            f"{layer.positions} positions (tokens), {rows * layer.positions} in all, or a smaller "
            "expansion."
        )


def _check_room(
    layers: Sequence[Layer],
    sizes: Mapping[str, tuple[int, int]],
    recipe: DictionaryRecipe,
    memory: int,
    out: Path,
) -> None:
    """Raise UsageError if the activations do not fit into memory, or the dictionaries on disk."""
    numbers = [sum(sizes[layer.name]) * layer.width for layer in layers]
    needed = 4 * (sum(numbers) + 2 * max(numbers))
    if needed > memory:
        raise UsageError(
            f"The activations of {len(layers)} layers take {format_bytes(needed)}, more than the "
            f"{format_bytes(memory)} of --memory. Take fewer layers at a time, fewer tokens, or "
            "more memory."
        )
    widths = [layer.width for layer in layers]
    written = sum(8 * (2 * d + 1) * recipe.expansion * d for d in widths) + 8 * sum(widths)
    there = next(folder for folder in out.absolute().parents if folder.is_dir())
    if (free := shutil.disk_usage(there).free) < written:
        raise UsageError(
            f"The dictionaries take {format_bytes(written)}, and {str(there)!r} has "
            f"{format_bytes(free)} left. Free some space, or name another folder."
        )


def _activations(
    subject: Subject, network: Network, layers: Sequence[Layer], progress: Progress
) -> dict[str, Float[Tensor, "n d"]]:
    """Return the activations of layers at all positions that count, samples in their order."""
    found: dict[str, list[Tensor]] = {layer.name: [] for layer in layers}
    samples = len(subject.inputs[0])
    each = max(ROWS // max(layer.positions for layer in network.layers), 1)
    with progress.stage("activations", samples) as advance:
        for start in range(0, samples, each):
            here = slice(start, start + each)
            batch = network.run(*(x[here] for x in subject.inputs))
            if subject.counted is not None:
                batch = replace(batch, counted=subject.counted[here])
            for layer in layers:
                f, mask = batch.activations[layer.index], batch.mask(layer)
                found[layer.name].append(f.flatten(0, 1).clone() if mask is None else f[mask])
            advance(len(batch))
    return {name: torch.cat(parts) for name, parts in found.items()}


def _look_at(layer: str, learned: Learned) -> None:
    """Raise ModelError if a dictionary tells no more than the layer's mean does."""
    if not learned.explained > 0:
        raise ModelError(
            f"The dictionary of layer {layer!r} explains nothing: on positions that are held out "
            f"it leaves {1 - learned.explained:.3g} times the variance. Train it on more tokens, "
            "with more steps or a smaller expansion."
        )
