"""Whole builds: CPU seconds, the peak of memory against its estimate, and growth with the data."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn

from benchmarks.data import reference_data
from benchmarks.measuring import Figure, Sample, in_fresh_process, repeated
from lib_graph.building.build import build
from lib_graph.building.options import Options
from lib_graph.data.text import Text
from lib_graph.networks import Subject, load_subject, shipped_model
from lib_graph.support.memory import parse_bytes
from lib_graph.support.progress import Advance

__all__ = ["measure_builds", "of_build"]

Case = tuple[Subject, Options]


def measure_builds(repeat: int) -> Iterator[list[Figure]]:
    """Yield what builds of networks of many kinds take."""
    for name, case in CASES.items():
        yield of_build(name, case, repeat)
    if (stories := reference_data("stories260k")) is not None:
        short, long = (
            of_build(f"stories260k, {tokens} tokens", partial(_stories, stories, tokens), repeat)
            for tokens in (10_000, 20_000)
        )
        yield [*short, *long, *_growth("stories260k, tokens doubled", short, long)]


def of_build(
    name: str, case: Callable[[], Case], repeat: int, limit: float | None = None
) -> list[Figure]:
    """Return what a build takes; `limit` says how many CPU seconds it may."""
    samples = []
    for _ in range(repeat):
        sample, peak = in_fresh_process(_build, case)
        part = {"build": sample["seconds"], "memory": peak}
        part["memory over its estimate"] = peak * 1e9 / sample["estimate"]
        samples.append({f"{name}: {what}": value for what, value in part.items()})
    units = dict(zip(samples[0], ("CPU s", "GB", "×"), strict=True))
    limits = {f"{name}: memory over its estimate": 1.2}
    if limit is not None:
        limits[f"{name}: build"] = limit
    return repeated(samples, units, limits)


def _growth(name: str, short: list[Figure], long: list[Figure]) -> list[Figure]:
    """Return what the figures of a build are multiplied by where its data are doubled."""
    return [
        Figure(f"{name}: {what} takes", "×", (after.median / before.median,), most)
        for what, most, before, after in zip(
            ("build", "memory"), (2.2, 1.1), short, long, strict=False
        )
    ]


def _build(case: Callable[[], Case]) -> Sample:
    """Build; return CPU seconds, and the bytes that were to be expected."""
    torch.set_num_threads(1)  # waiting threads would count as busy
    subject, options = case()
    heard = _Heard()
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        build(subject, folder, options, progress=heard)
    return {"seconds": time.process_time() - start, "estimate": heard.estimate}


class _Heard:
    """Progress that remembers the memory in the plan."""

    estimate: int

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Advance]:
        """Yield an `advance` that does nothing."""
        yield lambda n: None

    def say(self, line: str) -> None:
        """Keep the plan's estimate."""
        if found := re.match(r"Plan: .*, about ([^,]+)", line):
            self.estimate = parse_bytes(found[1])


def _modular_addition() -> Case:
    return load_subject(shipped_model()), Options()


def _mlp() -> Case:
    """An MLP of CIFAR-10's shape, on 5,000 random images."""
    torch.manual_seed(0)
    sizes = (3072, 100, 100, 10)
    linear = [nn.Linear(a, b) for a, b in pairwise(sizes)]
    module = nn.Sequential(linear[0], nn.ReLU(), linear[1], nn.ReLU(), linear[2])
    layers = ["input=0:in", "hidden1=2:in", "hidden2=4:in", "output"]
    return Subject.of(module, torch.rand(5000, 3072), layers), Options(dtype="float32")


def _gpt2() -> Case:
    """Two blocks of GPT2-small's shape, random, on 2,048 random tokens."""
    from transformers import AutoModelForCausalLM, GPT2Config

    from lib_graph.networks.gpt2 import GPT2
    from lib_graph.networks.language_model import LanguageModel, kinds, layers

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(GPT2Config(n_layer=2)).eval()
    subject = Subject(
        name="gpt2-shaped",
        source="random",
        module=LanguageModel(model),
        inputs=(torch.randint(model.config.vocab_size, (16, 128)),),
        data_name="random",
        layers=layers(GPT2, 2, "block"),
        kinds=partial(kinds, GPT2),
    )
    return subject, Options(dtype="float32", top=128)


def _stories(folder: Path, tokens: int) -> Case:
    text = reference_data("tinystories/stories.txt")
    assert text is not None
    return load_subject(folder, Text(text, tokens=tokens)), Options(memory=1 << 30)


CASES: dict[str, Callable[[], Case]] = {
    "modular addition, float64": _modular_addition,
    "MLP 3072-100-100-10, 5,000 images": _mlp,
    "GPT2-small, two blocks, 2,048 tokens": _gpt2,
}
