"""Whole builds on a card, the wall seconds of cold processes: `benchmarks/gpu.sh` runs them all."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from benchmarks.data import reference_data
from benchmarks.smollm2 import FOLDER
from lib_graph.building.build import build
from lib_graph.building.options import Options
from lib_graph.data.text import Text
from lib_graph.networks import load_subject, shipped_model
from lib_graph.networks.subject import Subject

Case = tuple[Subject, Options]
FEW = Options(dtype="float32", top=128, edge_samples=8, memory=16 << 30)


def _addition() -> Case:
    return load_subject(shipped_model()), Options()


def _stories() -> Case:
    text = Text(_data("tinystories/stories.txt"), tokens=20_000)
    return load_subject(_data("stories260k"), text), Options()


def _smollm2() -> Case:
    text = Text(_data("tinystories/stories.txt"), context=128, tokens=10_240)
    return load_subject(FOLDER / "model", text), FEW


def _gpt2(options: Options = FEW) -> Case:
    """Twelve blocks of GPT2-small's shape, random, on 10,240 random tokens."""
    import torch
    from transformers import AutoModelForCausalLM, GPT2Config

    from lib_graph.networks.gpt2 import GPT2
    from lib_graph.networks.language_model import LanguageModel, kinds, layers

    torch.manual_seed(0)
    config = GPT2Config()
    module = LanguageModel(AutoModelForCausalLM.from_config(config).eval())
    tokens = torch.randint(config.vocab_size, (80, 128))
    points = layers(GPT2, config.n_layer, "block")
    known = partial(kinds, GPT2)
    return Subject("gpt2-shaped", "random", module, (tokens,), "random", points, known), options


def _data(name: str) -> Path:
    found = reference_data(name)
    if found is None:
        raise click.UsageError(f"There is no {name} in LIB_GRAPH_TEST_DATA.")
    return found


CASES: dict[str, tuple[Callable[[], Case], float | None]] = {  # wall seconds promised on an H100
    "modular-addition": (_addition, None),
    "stories260k": (_stories, 4),
    "gpt2": (_gpt2, 8),
    "smollm2": (_smollm2, 15),
    "gpt2-uncut": (partial(_gpt2, replace(FEW, top=None, min_importance=1e-6)), 60),
}


@click.command()
@click.argument("case", type=click.Choice(list(CASES)))
@click.option("--device", default="cuda", show_default=True)
@click.option("--tf32", is_flag=True, help="Interactions from products in TF32.")
def main(case: str, device: str, tf32: bool) -> None:
    """Print what the build of one CASE takes, from the start of this process's own work."""
    import torch

    start = time.perf_counter()
    make, promised = CASES[case]
    subject, options = make()
    options = replace(options, tf32=tf32)
    with tempfile.TemporaryDirectory() as folder:
        run = build(subject, folder, options, device=device)
    seconds = time.perf_counter() - start
    card = torch.cuda.max_memory_allocated() / 1e9 if device.startswith("cuda") else 0.0
    limit = "" if promised is None else f"  (promised: {promised:g})"
    case += ", TF32" if tf32 else ""
    print(f"{case:18}{seconds:8.1f} s{limit}, {card:.1f} GB of the card")
    checks = run.manifest.checks
    if moved := [error for name, error in checks.items() if name.startswith("tf32_error.")]:
        print(f"    TF32 moves strengths by up to {max(moved):.2g}")
    slowest = sorted(run.manifest.timings.items(), key=lambda stage: -stage[1])[:5]
    print("".join(f"    {stage}: {taken:.1f} CPU s\n" for stage, taken in slowest), end="")


if __name__ == "__main__":
    main()
