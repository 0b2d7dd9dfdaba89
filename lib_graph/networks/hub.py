"""Language models and tokenizers by way of transformers, from a folder or from the hub."""

from __future__ import annotations

import copy
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lib_graph.errors import ModelError
from lib_graph.networks.checkpoint import read_json
from lib_graph.networks.weight_files import PICKLED, SAFE, WeightFiles
from lib_graph.run import Loading
from lib_graph.support.texts import first_line

__all__ = ["fetch", "is_hub_name", "load_model", "load_tokenizer"]

INSTALL = "Language models need transformers. Run: pip install 'lib-graph[hf]'"
OLDEST = (4, 57)
BACKEND = "TokenizersBackend"  # what transformers 5 calls PreTrainedTokenizerFast
SMALL_FILES = ["*.json", "*.txt", "*.model"]


def is_hub_name(text: str) -> bool:
    """Return whether a text has the form of a model's name on the hub.

    >>> is_hub_name("gpt2"), is_hub_name("roneneldan/TinyStories-1M"), is_hub_name("./models/a")
    (True, True, False)
    """
    return re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", text) is not None


def fetch(name: str) -> Path:
    """Return the folder where the files of a model on the hub lie, fetched if they do not yet.

    Raises ModelError if that cannot be done.
    """
    try:
        import huggingface_hub
    except ImportError as error:
        raise ModelError(f"There is no model folder {name!r}. {INSTALL}") from error
    try:
        with _quiet():
            folder = Path(
                huggingface_hub.snapshot_download(name, allow_patterns=[*SMALL_FILES, SAFE])
            )
            if not any(folder.glob(SAFE)):
                huggingface_hub.snapshot_download(name, allow_patterns=[PICKLED])
    except Exception as error:
        raise ModelError(
            f"There is no model folder {name!r}, and the hub did not give a model of that name "
            f"({type(error).__name__}: {first_line(error)}). Check the name and the connection, or "
            "copy the model's files (config.json, model.safetensors, tokenizer.json) into a folder "
            "and name that."
        ) from error
    return folder


def load_model(folder: Path) -> tuple[Any, Loading]:
    """Return the causal language model in a folder, and what was done to load it.

    Weights are read in the finest precision that their files have, so that none is rounded,
    whatever config.json says; and every tensor of the files is held against the model's. Code in
    the folder is never run. Raises ModelError if something is missing, broken, quantised or not
    finite.
    """
    transformers = _transformers()
    if "quantization_config" in read_json(folder):
        raise ModelError(
            f"{str(folder)!r} is quantised: what it computes has no derivative. Give the model in "
            "float32, float16 or bfloat16."
        )
    try:
        with _quiet():
            files = WeightFiles(folder)
            config = transformers.AutoConfig.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
            _check_rotary(folder, config)
            tie, named = bool(config.tie_word_embeddings), config.dtype
            model, report = _from_pretrained(folder, files, config)
            tied = {name for names in _tied(model) for name in names}
            if tie and tied & {*_otherwise(model, files)}:  # as transformers 4 overwrites one
                config.tie_word_embeddings = False
                model, report = _from_pretrained(folder, files, config)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{str(folder)!r} cannot be loaded ({first_line(error)}).") from error
    _check(model, report["missing_keys"], files, folder)
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    return model, Loading(
        dtype=_name(files.finest),
        precisions=files.precisions,
        config_dtype=None if named is None else _name(named),
        tied=_tied(model),
        apart=tie and head is not None and head.weight is not embedding.weight,
        left_out=tuple(sorted(report["unexpected_keys"])),
    )


def _check_rotary(folder: Path, config: Any) -> None:
    """Raise ModelError if config.json has rotary positions that transformers 4 does not read."""
    asked = read_json(folder).get("rope_parameters")
    default = {"rope_theta": getattr(config, "rope_theta", None), "rope_type": "default"}
    if asked and _version() < (5,) and asked != default:
        raise ModelError(
            f"{str(folder)!r} has the rotary positions {asked}, which transformers "
            f"{_transformers().__version__} does not read. Run: pip install 'transformers>=5'"
        )


def _from_pretrained(folder: Path, files: WeightFiles, config: Any) -> tuple[Any, dict[str, Any]]:
    model, report = _transformers().AutoModelForCausalLM.from_pretrained(
        folder,
        config=copy.deepcopy(config),
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=files.safe,
        weights_only=True,
        dtype=files.finest,
        output_loading_info=True,
    )
    return model, report


def _check(model: Any, missing: Iterable[str], files: WeightFiles, folder: Path) -> None:
    """Raise ModelError if a tensor has no value, none that is finite, or not that of its file."""
    state = model.state_dict()
    without = sorted({*missing, *(name for name, x in state.items() if x.is_meta)})
    if without:
        more = f" and {len(without) - 1} more" if len(without) > 1 else ""
        raise ModelError(
            f"The weights in {str(folder)!r} lack tensor {without[0]!r}{more}. Copy them again."
        )
    for name, tensor in state.items():
        if not tensor.isfinite().all():
            raise ModelError(
                f"Tensor {name!r} in {str(folder)!r} has values that are NaN or infinite. "
                "Train the model again, or use an earlier checkpoint."
            )
    if other := _otherwise(model, files):
        raise ModelError(
            f"transformers {_transformers().__version__} gives {other[0]!r} other values than the "
            f"weights in {str(folder)!r} have. Save the model again (save_pretrained)."
        )


def _otherwise(model: Any, files: WeightFiles) -> list[str]:
    """Return which tensors of the model are not those of the files."""
    state, prefix = model.state_dict(), f"{model.base_model_prefix}."
    found = []
    for name, tensor in files:
        for place in (name, prefix + name, name.removeprefix(prefix)):
            held = state.get(place)
            if held is not None and not held.is_meta:
                if held.shape != tensor.shape or not _equal(held, tensor):
                    found.append(place)
                break
    return found


def _equal(held: Tensor, tensor: Tensor) -> bool:
    """Return whether two tensors have the same values, NaN being equal to itself."""
    return torch.equal(held.nan_to_num(), tensor.to(held.dtype).nan_to_num())


def _tied(model: Any) -> tuple[tuple[str, ...], ...]:
    """Return the parameters that are one, by all of their names."""
    names: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    return tuple(tuple(group) for group in names.values() if len(group) > 1)


def _name(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


def load_tokenizer(folder: Path) -> Any:
    """Return the tokenizer in a folder. Raises ModelError if there is none that can be loaded."""
    transformers = _transformers()
    kind = transformers.AutoTokenizer
    config = folder / "tokenizer_config.json"
    if config.is_file() and read_json(folder, config.name).get("tokenizer_class") == BACKEND:
        kind = getattr(transformers, BACKEND, transformers.PreTrainedTokenizerFast)
    try:
        with _quiet():
            return kind.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:
        raise ModelError(
            f"{str(folder)!r} has no tokenizer that can be loaded ({first_line(error)}). Copy the "
            "model's tokenizer.json and tokenizer_config.json there, or give tokens (.safetensors) "
            "instead of text."
        ) from error


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise ModelError(INSTALL) from error
    if _version() < OLDEST:
        raise ModelError(
            f"transformers {transformers.__version__} is installed; lib-graph reads language "
            f"models with {OLDEST[0]}.{OLDEST[1]} or newer. Run: pip install -U 'lib-graph[hf]'"
        )
    return transformers


def _version() -> tuple[int, int]:
    import transformers

    major, minor = transformers.__version__.split(".")[:2]
    return int(major), int(minor)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the libraries' bars and advice off stderr: what matters is raised or checked."""
    logging = _transformers().utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
