"""Networks that lib-graph knows how to load, and the one it ships."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from lib_graph.data.text import Text
from lib_graph.errors import ModelError, UsageError
from lib_graph.networks import language_model, mlp, modular_addition, python_file
from lib_graph.networks.checkpoint import read_json
from lib_graph.networks.subject import Kinds, Subject
from lib_graph.support.arguments import checked

__all__ = ["Kinds", "Subject", "load_subject", "shipped_model", "subject_of"]

ADAPTERS: dict[str, Callable[[Path, str | None], Subject]] = {
    "HookedTransformer": modular_addition.load,
    "MLP": mlp.load,
}
"""`architecture` of config.json -> what loads such a folder, with other data if they are given"""


@checked
def load_subject(
    model: str | Path, data: str | Path | Text | None = None, granularity: str | None = None
) -> Subject:
    """Return a network with its data and layers.

    `model` is a folder (model.safetensors and config.json) with a network of 'lib-graph train',
    which says what its data are (`data` can name another folder for one trained on images); or a
    language model, in a folder of transformers' or by its name on the hub, whose data are a `Text`
    and whose layers follow from the `granularity`, block (default), paper or mlp; or a function of
    your own, `path.py:make_model`, whose data `data` makes (default: `make_data` in the same file)
    and whose layers are yours to name (`Subject.with_layers`).

    Raises ModelError if the folder's files are missing or broken, if the architecture is none that
    lib-graph knows, or if your function fails; UsageError if it is not there, or if the data or the
    granularity are not for such a network.

    >>> list(load_subject(shipped_model()).layers)
    ['ln1.0', 'ln2.0', 'unembed', 'output']
    """
    data = str(data) if isinstance(data, Path) else data
    if language_model.is_one(model):
        if isinstance(data, str):
            raise UsageError(f"A language model runs on text. Give --text, not --data {data!r}.")
        return language_model.load(str(model), data, granularity or "block")
    if isinstance(data, Text) or granularity is not None:
        what = "text" if isinstance(data, Text) else "granularity"
        raise UsageError(f"{str(model)!r} is no language model. Leave --{what} out.")
    if python_file.is_place(str(model)):
        return python_file.load(str(model), data)
    folder = Path(model)
    if folder.suffix == ".py" and folder.is_file():
        raise UsageError(
            f"{str(model)!r} is a Python file. Name the function in it that makes the network: "
            f"'{model}:make_model'."
        )
    config = read_json(folder)
    architecture = config.get("architecture", config.get("model_type"))
    if not isinstance(architecture, str) or architecture not in ADAPTERS:
        known = ", ".join(map(repr, ADAPTERS))
        families = ", ".join(map(repr, language_model.FAMILIES))
        raise ModelError(
            f"{str(folder)!r} is a network of architecture {architecture!r}. Supported: {known} "
            "(the networks of 'lib-graph train') and, of transformers' language models, "
            f"{families}. Any other goes by a function of your own: path.py:make_model."
        )
    return ADAPTERS[architecture](folder, data)


def subject_of(
    model: Subject | nn.Module | str | Path,
    data: Tensor | tuple[Any, ...] | Mapping[str, Any] | str | Path | Text | None = None,
    layers: Iterable[str] | None = None,
    granularity: str | None = None,
) -> Subject:
    """Return a network with its data and layers, however it is given.

    Raises UsageError if a module comes without data or layers, or a Subject with other data.
    """
    if isinstance(model, nn.Module):
        if data is None or isinstance(data, str | Path | Text) or layers is None:
            raise UsageError(
                "A module needs the tensors it is called with and its layers: build(module, out, "
                "data=x, layers=['0:in', 'output'])."
            )
        return Subject.of(model, data, layers)
    if not isinstance(model, Subject):
        if data is not None and not isinstance(data, str | Path | Text):
            raise UsageError("Tensors as data go with a module. Name a function: path.py:function.")
        model = load_subject(model, data, granularity)
    elif data is not None or granularity is not None:
        raise UsageError("A Subject has its data and layers already. Leave them out.")
    return model if layers is None else model.with_layers(layers)


def shipped_model() -> Path:
    """Return the folder of the model that comes with lib-graph: (a + b) mod 113."""
    return Path(__file__).parent / "shipped" / "modular-addition"
