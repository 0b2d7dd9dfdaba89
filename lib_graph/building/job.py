"""What the stages of a build share."""

from __future__ import annotations

import json
import shutil
import time
from collections import ChainMap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lib_graph.building.cross_layer import aligned
from lib_graph.building.options import Options
from lib_graph.building.origin import origin_of, tensors_sha256
from lib_graph.building.passes import Passes
from lib_graph.building.places import check_widths, computed_as, given_of
from lib_graph.building.plan import Plan, make_plan
from lib_graph.building.samples import Samples
from lib_graph.cutting.asked import check_points
from lib_graph.cutting.composing import compose
from lib_graph.cutting.copies import converted, in_precision
from lib_graph.cutting.cuts import cut
from lib_graph.cutting.points import is_point
from lib_graph.cutting.recording import NOTICE, recorded
from lib_graph.cutting.standing_in import kinds_beside, marked, with_stand_ins
from lib_graph.cutting.survey import check_copy, finest
from lib_graph.dictionaries.fitting import by_layer, read_wanted
from lib_graph.errors import ModelError, UntraceableError
from lib_graph.method.dictionary import Basis
from lib_graph.method.network import Network
from lib_graph.method.rules import Rule
from lib_graph.networks import Subject
from lib_graph.run.kept import Origin
from lib_graph.run.schema import UNFINISHED
from lib_graph.support.devices import CPU
from lib_graph.support.files import json_sha256, write_json
from lib_graph.support.processes import ALONE, World
from lib_graph.support.progress import USUAL, Progress

__all__ = ["Job", "cut_or_recorded", "first_samples", "prepare"]

EXAMPLES = 4  # samples that a module is traced and checked on


@dataclass(frozen=True)
class Job:
    """A network with its data, cut and planned.

    `given` are the bases to use, and `computed` how those of the other layers are found, one of
    BASES (None: there are no others). `timings` are CPU seconds, `checks` figures.
    """

    subject: Subject
    network: Network
    samples: Samples
    rule: Rule
    options: Options
    origin: Origin
    out: Path
    progress: Progress
    device: torch.device = CPU
    world: World = ALONE
    given: Mapping[str, Basis] = field(default_factory=dict)
    computed: str | None = None
    timings: dict[str, float] = field(default_factory=dict)
    checks: dict[str, float] = field(default_factory=dict)

    @property
    def passes(self) -> Passes:
        """What the passes over the data have in common."""
        return Passes(self.origin, self.partial, self.progress, self.world, self.timings)

    def keep_checks(self) -> None:
        """Write what is known of the figures, for when the build is cut off and goes on."""
        write_json(self.partial / "checks.json", {"of": json_sha256(self.origin), **self.checks})

    def recall_checks(self) -> None:
        """Take the figures of this build that were found before it was cut off."""
        try:
            found = json.loads((self.partial / "checks.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        if found.pop("of") == json_sha256(self.origin):
            self.checks.update(found)

    @property
    def partial(self) -> Path:
        """The folder of what is not finished."""
        return _partial(self.out)

    @property
    def plan(self) -> Plan:
        """How the data are taken through the network."""
        return self.samples.plan

    def basis(self, basis: Basis) -> Basis:
        """Return a basis in the precision of the activations, and where they are."""
        return basis.to(self.options.torch_dtype, self.device)


def prepare(
    subject: Subject,
    out: Path,
    options: Options,
    progress: Progress,
    device: torch.device = CPU,
    world: World = ALONE,
    device_memory: int | None = None,
) -> Job:
    """Return the job of a build: a copy of the module, cut into sections, checked, and planned.

    Raises ModelError if there are no data, and what `cut`, `read_dictionaries`, `by_layer` and
    `make_plan` do.
    """
    start = time.process_time()
    asked = read_wanted(options.given, options.format)
    chosen = by_layer(asked, subject.layers, subject.hooks) if asked else {}
    for layer, found in chosen.items():
        progress.say(found.described(layer))
    module = in_precision(subject.module, options.torch_dtype, device)
    inputs = subject.inputs
    if not len(inputs[0]):
        raise ModelError(
            f"The data {subject.data_name!r} is empty. Give at least one sample (to a language "
            "model: --text FILE)."
        )
    example = tuple(converted(first_samples(x), options.torch_dtype).to(device) for x in inputs)
    check_widths(subject, module, example, chosen)
    computed = computed_as(options, chosen, list(subject.layers))
    subject = replace(subject, stand_ins=aligned(chosen, list(subject.layers)))
    network = cut_or_recorded(
        subject, module, example, options.biases, partial=options.partial, progress=progress
    )
    rule = Rule.named(options.rule, options.points)
    size = len(inputs[0]), options.memory
    given = given_of(chosen, network.layers)
    plan = make_plan(
        network, example, *size, rule,
        features={name: basis.features for name, basis in given.items()}, top=options.top,
        sections=[compose(network.sections)] if computed == "global" else [],
        processes=world.size, disk=_free(out), card=device_memory,
    )  # fmt: skip
    for line in () if subject.loading is None else subject.loading.lines():
        progress.say(line)
    progress.say(f"Plan: {plan}")
    origin = origin_of(
        tensors_sha256(subject.module.state_dict().items()),
        tensors_sha256(subject.tensors()),
        subject.layers,
        {name for section in network.sections for name in section.biases},
        options,
        computed,
        given,
        subject.stand_ins,
    )
    folder = _partial(out) / f"activations-{world.rank}"
    last = options.last != "raw" or bool(given)
    samples = Samples(network, inputs, plan, subject.counted, device, folder, last)
    job = Job(
        subject, network, samples, rule, options, origin, out, progress, device, world, given,
        computed,
    )  # fmt: skip
    job.timings["trace"] = time.process_time() - start
    return job


def cut_or_recorded(
    subject: Subject,
    module: nn.Module,
    example: tuple[Tensor, ...],
    biases: Iterable[str] | None,
    *,
    partial: bool,
    derivatives: bool = True,
    progress: Progress = USUAL,
) -> Network:
    """Return the network of a subject's module, in the precision it has here, cut at the layers.

    Transcoders stand in for parts of it where the subject has any. A module that cannot be traced
    is recorded batch by batch, and `progress` is told so. Its `derivatives` are checked unless none
    are to be taken.
    """
    check_points(module, subject.layers)
    stand_ins = {
        layer: each.to(finest(module, example), example[0].device)
        for layer, each in subject.stand_ins.items()
    }
    kinds = None if subject.kinds is None else kinds_beside(subject.kinds(module), stand_ins)
    module, layers = with_stand_ins(module, subject.layers, stand_ins, subject.parts)
    wanted, form = tuple(layers.values()), subject.form
    common = [point for point in wanted if is_point(subject.module, point)]
    error = check_copy(module, subject.module, example, common, form)
    options: Any = {
        "biases": biases, "kinds": kinds, "partial": partial, "form": form,
        "derivatives": derivatives,
    }  # fmt: skip
    try:
        network = cut(module, example, layers, **options)
    except UntraceableError as untraceable:
        network = recorded(module, example, layers, **options)
        progress.say(f"{untraceable} {NOTICE}")
    for note in network.notes:
        progress.say(note)
    figures: Any = network.figures
    return replace(marked(network, stand_ins), figures=ChainMap({"module_error": error}, figures))


def _partial(out: Path) -> Path:
    return out / UNFINISHED


def _free(out: Path) -> int:
    """Return how many bytes may be written for a build to `out`: half of what is free."""
    there = next(folder for folder in (out, *out.absolute().parents) if folder.is_dir())
    return shutil.disk_usage(there).free // 2


def first_samples(x: Tensor) -> Tensor:
    """Return a few samples, repeated where there are not enough: a size of 1 cannot be traced."""
    return x[torch.arange(EXAMPLES) % len(x)]
