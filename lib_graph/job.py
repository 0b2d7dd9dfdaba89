"""What the stages of a build share."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from lib_graph.cuts import cut
from lib_graph.errors import ModelError
from lib_graph.network import Network
from lib_graph.networks import Subject
from lib_graph.options import Options
from lib_graph.origin import Origin, origin_of, tensors_sha256
from lib_graph.plan import Samples, make_plan
from lib_graph.progress import Progress
from lib_graph.rules import Rule
from lib_graph.selfcheck import check_chain, check_kinds

__all__ = ["Job", "cast", "first_samples", "prepare"]

EXAMPLES = 4  # samples that a module is traced and checked on


@dataclass(frozen=True)
class Job:
    """A network with its data, cut and planned. `timings` are CPU seconds, `checks` figures."""

    subject: Subject
    network: Network
    samples: Samples
    rule: Rule
    options: Options
    origin: Origin
    out: Path
    progress: Progress
    timings: dict[str, float] = field(default_factory=dict)
    checks: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show a stage, and keep its CPU seconds."""
        start = time.process_time()
        with self.progress.stage(name, total) as advance:
            yield advance
        self.timings[name] = time.process_time() - start


def prepare(subject: Subject, out: Path, options: Options, progress: Progress) -> Job:
    """Return the job of a build: a copy of the module, cut into sections, checked, and planned."""
    start = time.process_time()
    module = copy.deepcopy(subject.module).to(options.torch_dtype).eval().requires_grad_(False)
    inputs = tuple(cast(x, options.torch_dtype) for x in subject.inputs)
    if not len(inputs[0]):
        raise ModelError(
            f"The data {subject.data_name!r} is empty. Give at least one sample (to a language "
            "model: --text FILE)."
        )
    example = tuple(first_samples(x) for x in inputs)
    kinds = None if subject.kinds is None else subject.kinds(module)
    network = cut(module, example, subject.layers, biases=options.biases, kinds=kinds)
    rule = Rule.named(options.rule, options.points)
    plan = make_plan(network, inputs, rule, options.memory)
    progress.say(f"Plan: {plan}")
    origin = origin_of(
        tensors_sha256(subject.module.state_dict().items()),
        tensors_sha256(subject.tensors()),
        subject.layers,
        {name for section in network.sections for name in section.biases},
        options,
    )
    samples = Samples(network, inputs, plan, subject.counted)
    job = Job(subject, network, samples, rule, options, origin, out, progress)
    job.checks["chain_error"] = check_chain(network, module, example, subject.layers)
    job.checks["kind_error"] = check_kinds(network, example)
    job.timings["trace"] = time.process_time() - start
    return job


def cast(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Return numbers in the given precision, and tokens as they are."""
    return x.to(dtype) if x.is_floating_point() else x


def first_samples(x: Tensor) -> Tensor:
    """Return a few samples, repeated where there are not enough: a size of 1 cannot be traced."""
    return x[torch.arange(EXAMPLES) % len(x)]
