"""Language models and tokenizers by way of transformers, from a folder or from the hub."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lib_graph.errors import ModelError

__all__ = ["fetch", "is_hub_name", "load_model", "load_tokenizer"]

INSTALL = "Language models need transformers. Run: pip install 'lib-graph[hf]'"
SMALL_FILES = ["*.json", "*.txt", "*.model"]
SAFE, PICKLED = "model*.safetensors", "pytorch_model*.bin"


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
        reason = (str(error).strip().splitlines() or [""])[0]
        raise ModelError(
            f"There is no model folder {name!r}, and the hub did not give a model of that name "
            f"({type(error).__name__}: {reason}). Check the name and the connection, or copy the "
            "model's files (config.json, model.safetensors, tokenizer.json) into a folder and name "
            "that."
        ) from error
    return folder


def load_model(folder: Path) -> Any:
    """Return the causal language model in a folder, in the precision of its weights.

    Weights are read as safetensors, or else as tensors alone out of PyTorch's own format; code in
    the folder is never run. Raises ModelError if something is missing, broken or not finite.
    """
    transformers = _transformers()
    try:
        with _quiet():
            model, report = transformers.AutoModelForCausalLM.from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=any(folder.glob(SAFE)) or not any(folder.glob(PICKLED)),
                weights_only=True,
                dtype="auto",
                output_loading_info=True,
            )
    except Exception as error:
        raise ModelError(f"{str(folder)!r} cannot be loaded ({_line(error)}).") from error
    if missing := sorted(report["missing_keys"]):
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ModelError(
            f"The weights in {str(folder)!r} lack tensor {missing[0]!r}{more}. Copy them again."
        )
    for name, tensor in model.state_dict().items():
        if not tensor.isfinite().all():
            raise ModelError(
                f"Tensor {name!r} in {str(folder)!r} has values that are NaN or infinite. "
                "Train the model again, or use an earlier checkpoint."
            )
    return model


def load_tokenizer(folder: Path) -> Any:
    """Return the tokenizer in a folder. Raises ModelError if there is none that can be loaded."""
    transformers = _transformers()
    try:
        with _quiet():
            return transformers.AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
    except Exception as error:
        raise ModelError(
            f"{str(folder)!r} has no tokenizer that can be loaded ({_line(error)}). Copy the "
            "model's tokenizer.json and tokenizer_config.json there, or give tokens (.safetensors) "
            "instead of text."
        ) from error


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise ModelError(INSTALL) from error
    return transformers


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


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
