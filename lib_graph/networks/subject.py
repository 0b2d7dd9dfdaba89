"""What a build needs to know of a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jaxtyping import Bool
from torch import Tensor, nn

from lib_graph.cutting.arguments import POSITIONAL, Form, form_of
from lib_graph.cutting.copies import unwrapped
from lib_graph.cutting.points import is_point, points
from lib_graph.data.evaluation import Evaluation
from lib_graph.data.labelling import Labeller
from lib_graph.data.notation import Notation, Sample
from lib_graph.dictionaries.hooks import Hooks
from lib_graph.errors import NotFoundError, UsageError
from lib_graph.method.kind import Kind
from lib_graph.method.transcoder import Transcoder
from lib_graph.run import Loading
from lib_graph.support.texts import counted

__all__ = ["Kinds", "Subject"]

Kinds = Mapping[tuple[str, str], Kind]
NUMBERS = Notation()
LIST = "List what can be a layer with 'lib-graph layers"


@dataclass(frozen=True, repr=False)
class Subject:
    """A network, the data its averages are over, and its layers.

    `inputs` are the tensors of the module's arguments, samples first, and `form` puts them there.
    `layers` maps names to points (`lib_graph.cutting.points`), in the order of the computation.
    `kinds` tells, of a copy of the module in the precision of the build, what the sections between
    two layers (source, target) are.
    `counted` marks the positions that count (None: all), as padding must not; the network must let
    nothing reach them from the others. `settings` are the options of the command line by which the
    data are found again. `notation` is how people write the inputs, `evaluation` what the network
    can be scored on, `loading` how a model of transformers was read, `hooks` what other
    libraries call its points, `answers` gives the names of the module's outputs (tokens, classes),
    None for one without, and `stand_ins` the transcoders that stand in for the parts at
    some of the layers.
    """

    name: str
    source: str
    module: nn.Module
    inputs: tuple[Tensor, ...]
    data_name: str
    layers: Mapping[str, str]
    kinds: Callable[[nn.Module], Kinds] | None = None
    labeller: Labeller | None = None
    counted: Bool[Tensor, "n s"] | None = None
    notation: Notation = NUMBERS
    evaluation: Evaluation | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    form: Form = POSITIONAL
    loading: Loading | None = None
    hooks: Hooks = field(default_factory=Hooks)
    stand_ins: Mapping[str, Transcoder] = field(default_factory=dict)
    answers: Callable[[], Sequence[str | None]] | None = None

    def __repr__(self) -> str:
        samples, layers = len(self.inputs[0]), ", ".join(self.layers)
        return f"<Subject {self.name}: {counted(samples, 'sample')}, layers {layers}>"

    @property
    def parts(self) -> dict[str, str]:
        """The points of the parts that transcoders at the layers stand in for, by layer.

        That is the layer's own, but of a norm in front of an MLP the MLP's.
        """
        return {layer: self.hooks.part(point) for layer, point in self.layers.items()}

    @classmethod
    def of(
        cls,
        module: nn.Module,
        data: Any,
        layers: Iterable[str],
        kinds: Callable[[nn.Module], Kinds] | None = None,
    ) -> Subject:
        """Return a network of your own: a module, its arguments (samples first), and its layers.

        `data` is a tensor, a tuple of arguments, or a dict of arguments by keyword. Each layer is a
        point, or NAME=POINT. `kinds` may say what sections are (`lib_graph.kinds`).

        >>> import torch
        >>> module = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> Subject.of(module, torch.ones(5, 2), ["input=0:in", "2:in", "output"]).layers
        {'input': '0:in', '2:in': '2:in', 'output': 'output'}

        Raises what `form_of` and `with_layers` do.
        """
        module = unwrapped(module)
        name = type(module).__name__
        inputs, form = form_of(data)
        made = cls(name, name, module, inputs, "given", {}, kinds, form=form)
        return made.with_layers(layers)

    def with_layers(self, layers: Iterable[str]) -> Subject:
        """Return the same network with the given layers, each a NAME, a POINT or NAME=POINT.

        Raises NotFoundError if one is neither a layer nor a point, UsageError if two have one name.
        """
        chosen: dict[str, str] = {}
        for text in layers:
            name, _, point = text.partition("=")
            if name in chosen:
                raise UsageError(f"Two layers are called {name!r}. Give each a name of its own.")
            chosen[name] = point or self.layers.get(name, name)
            if not is_point(self.module, chosen[name]):
                known = [*self.layers, *points(self.module)]
                raise NotFoundError("layer", text, known, f"{LIST} {self.source}'.")
        return replace(self, layers=chosen)

    def sample(self, index: int) -> Sample:
        """Return one sample of the data."""
        counted = None if self.counted is None else self.counted[index]
        return Sample(tuple(x[index] for x in self.inputs), counted)

    def example(self) -> tuple[Tensor, ...]:
        """Return two samples of the inputs, zeros where there are no data."""
        return tuple(x[:2] if len(x) else x.new_zeros(2, *x.shape[1:]) for x in self.inputs)

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Yield the tensors that the data consist of, with names."""
        yield from zip(self.form.names(len(self.inputs)), self.inputs, strict=True)
        if self.counted is not None:
            yield "counted", self.counted
