"""What a module's graph is, and how the module is followed to find it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, fx, nn

from lib_graph.cutting.arguments import POSITIONAL, Form
from lib_graph.cutting.following import followed
from lib_graph.cutting.operations import cleaned
from lib_graph.cutting.own_derivatives import OwnDerivatives
from lib_graph.cutting.points import OUTPUT, result_of
from lib_graph.errors import UsageError

__all__ = ["Course", "Followed", "TracedModule", "inline", "mark", "unmarked"]


@torch.library.custom_op("lib_graph::mark", mutates_args=())
def mark(x: Tensor, point: str) -> Tensor:
    """Name a tensor in the traced graph."""
    return x.clone()


@mark.register_fake
def _(x: Tensor, point: str) -> Tensor:
    return torch.empty_like(x)


@dataclass(frozen=True)
class Course:
    """How a module is to be followed: its arguments, precision, and own derivatives.

    `overwritten` are the points whose tensors the module changes in place afterwards.
    """

    form: Form = POSITIONAL
    dtype: torch.dtype = torch.float32
    own: OwnDerivatives = field(default_factory=OwnDerivatives)
    overwritten: frozenset[str] = frozenset()

    def visit(self, x: Tensor, point: str) -> Tensor:
        """Return a tensor with its name. What others see change in place stays one tensor."""
        marked = mark(x, point)
        return x.copy_(marked) if point in self.overwritten else marked


@dataclass(frozen=True)
class TracedModule:
    """A traced module: its graph, parameters by placeholder, marked nodes by point.

    `changed` names the buffers and inputs that the module changes, which is left out.
    """

    module: fx.GraphModule
    parameters: Mapping[fx.Node, str]
    points: Mapping[str, fx.Node]
    changed: tuple[str, ...] = ()

    @property
    def nodes(self) -> list[fx.Node]:
        """All nodes in the order of the computation, the result last."""
        return list(self.module.graph.nodes)

    @property
    def inputs(self) -> list[fx.Node]:
        """The placeholders of the module's inputs."""
        return [n for n in self.nodes if n.op == "placeholder" and n not in self.parameters]

    @property
    def results(self) -> list[fx.Node]:
        """The tensors that the module returns."""
        return list(self.nodes[-1].args[0])  # type: ignore[arg-type]


class Followed(nn.Module):
    """A module that takes its tensors side by side, and returns the one that it counts as."""

    def __init__(self, module: nn.Module, course: Course) -> None:
        super().__init__()
        self.module = module
        self._course = course

    def forward(self, values: tuple[Tensor, ...]) -> list[Tensor]:
        """Return the result as a list of its own."""
        with followed(self._course.dtype, self.module, values), self._course.own.traced():
            return [result_of(self.module, values, self._course.form, clone=False)]


def unmarked(
    graph: fx.GraphModule,
    parameters: dict[fx.Node, str],
    wanted: Sequence[str],
    changed: Sequence[str] = (),
) -> TracedModule:
    """Return a graph that has marks in it as one that has none.

    Raises UsageError for a point that has no mark.
    """
    marked = cleaned(graph.graph)
    if missing := [p for p in wanted if p != OUTPUT and p not in marked]:
        raise UsageError(f"Point {missing[0]!r} is not computed on this input. Leave it out.")
    return TracedModule(graph, parameters, marked, tuple(changed))


def inline(graph: fx.GraphModule, node: fx.Node, value: Tensor, after: fx.Node, name: str) -> None:
    """Turn a placeholder for a buffer into an attribute of the traced module."""
    attribute_name = f"constant_{name.replace('.', '_')}_{node.name}"
    graph.register_buffer(attribute_name, value)
    with graph.graph.inserting_after(after):
        attribute = graph.graph.get_attr(attribute_name)
    attribute.meta = dict(node.meta)
    node.replace_all_uses_with(attribute)
    graph.graph.erase_node(node)
