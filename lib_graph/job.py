"""What the stages of a build share."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from lib_graph.composing import compose
from lib_graph.cuts import cut
from lib_graph.errors import ModelError, UntraceableError
from lib_graph.network import Network
from lib_graph.networks import Subject
from lib_graph.options import Options
from lib_graph.origin import Origin, origin_of, tensors_sha256
from lib_graph.plan import Samples, make_plan
from lib_graph.progress import SILENT, Progress
from lib_graph.recording import NOTICE, recorded
from lib_graph.rules import Rule
from lib_graph.selfcheck import check_chain, check_kinds

__all__ = ["Job", "cast", "cut_or_recorded", "first_samples", "prepare"]

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
    if not len(subject.inputs[0]):
        raise ModelError(f"The data {subject.data_name!r} is empty. Give at least one sample.")
    example = tuple(cast(first_samples(x), options.torch_dtype) for x in subject.inputs)
    network = cut_or_recorded(
        subject, module, example, options.biases, partial=options.partial, progress=progress
    )
    rule = Rule.named(options.rule, options.points)
    to_the_last = [compose(network.sections)] if options.basis == "global" else []
    plan = make_plan(network, subject.inputs, rule, options.memory, to_the_last)
    progress.say(f"Plan: {plan}")
    origin = origin_of(
        tensors_sha256(subject.module.state_dict().items()),
        tensors_sha256(subject.tensors()),
        subject.layers,
        {name for section in network.sections for name in section.biases},
        options,
    )
    samples = Samples(network, subject.inputs, plan, subject.counted)
    job = Job(subject, network, samples, rule, options, origin, out, progress)
    job.checks["chain_error"] = check_chain(network, module, example, subject.layers)
    job.checks["kind_error"] = check_kinds(network, example)
    job.timings["trace"] = time.process_time() - start
    return job


def cut_or_recorded(
    subject: Subject,
    module: nn.Module,
    example: tuple[Tensor, ...],
    biases: Iterable[str] | None,
    *,
    partial: bool,
    progress: Progress = SILENT,
) -> Network:
    """Return the network of a subject's module, in the precision it has here, cut at the layers.

    A module that cannot be traced is recorded batch by batch, and `progress` is told so.
    """
    kinds = None if subject.kinds is None else subject.kinds(module)
    try:
        return cut(module, example, subject.layers, biases=biases, kinds=kinds, partial=partial)
    except UntraceableError as error:
        reason = f"{error} {NOTICE}"
    network = recorded(module, example, subject.layers, biases=biases, kinds=kinds, partial=partial)
    progress.say(reason)
    return network


def cast(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Return numbers in the given precision, and tokens as they are."""
    return x.to(dtype) if x.is_floating_point() else x


def first_samples(x: Tensor) -> Tensor:
    """Return a few samples, repeated where there are not enough: a size of 1 cannot be traced."""
    return x[torch.arange(EXAMPLES) % len(x)]
