"""Modules that do nothing but some well-known operations, followed without `torch.export`.

That one loads torch's compiler first, which takes as long as the rest of a small build. Here each
operation is done as the graph will do it, and has to give what the module's own gave; and the graph
has to come out alike on inputs of other sizes. Where anything else is met, there is no such graph.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, NoReturn

import torch
from torch import Tensor, fx, nn
from torch.overrides import TorchFunctionMode

from lib_graph.cutting.arguments import tensors, version
from lib_graph.cutting.copies import fresh
from lib_graph.cutting.known_operations import ABOUT, LENGTHS, OPERATIONS, UnknownError
from lib_graph.cutting.points import visits
from lib_graph.cutting.traced import Course, Followed, TracedModule, mark, unmarked
from lib_graph.errors import UsageError

__all__ = ["known_course"]

aten = torch.ops.aten
_DEVICES = "cpu", "cuda"  # where the precision may be another inside of a module


def known_course(
    module: nn.Module, inputs: tuple[Tensor, ...], wanted: Sequence[str], course: Course
) -> TracedModule | None:
    """Return the graph of a module on an example batch, with the tensors at the wanted points.

    None if the module does anything that is not known here, changes a tensor or an attribute, has
    derivatives of its own, or takes another course on inputs of other sizes.
    """
    if course.own.own or course.overwritten:
        return None
    fewer, *shorter = _other_sizes(inputs)
    try:
        recorder = _Recorder(module, inputs, wanted, course)
        alike = str(_Recorder(module, fewer, wanted, course).graph) == str(recorder.graph)
        for others in shorter if alike else ():
            alike = alike and recorder.has_course_of(module, others, wanted, course)
    except (Exception, UnknownError):  # what it is, torch.export says
        return None
    finally:
        course.own.forget()
    return unmarked(recorder.module(), recorder.parameters, wanted) if alike else None


def _other_sizes(inputs: Sequence[Tensor]) -> Iterator[tuple[Tensor, ...]]:
    """Yield the inputs with a sample less, with half of them, and with one place less, two less,
    and half: on all axes that may have to be alike, as they have a number, a size, or both in
    common.
    """
    yield tuple(x[1:] for x in inputs)
    yield tuple(x[: len(x) // 2] for x in inputs)
    axes = {
        (number, axis): size
        for number, x in enumerate(inputs)
        for axis, size in enumerate(x.shape)
        if axis and size > 1
    }
    together: set[frozenset[tuple[int, int]]] = set()
    for (_, axis), size in axes.items():
        of_size = {place for place in axes if axes[place] == size}
        of_number = {place for place in axes if place[1] == axis}
        together |= {frozenset(of_size), frozenset(of_number), frozenset(of_size & of_number)}
    for places in sorted(together, key=sorted):
        yield _shortened(inputs, places, lambda size: size - 1)
        yield _shortened(inputs, places, lambda size: max(size - 2, 1))
        yield _shortened(inputs, places, lambda size: size // 2)


def _shortened(
    inputs: Sequence[Tensor], places: Iterable[tuple[int, int]], to: Callable[[int], int]
) -> tuple[Tensor, ...]:
    """Return the inputs, of which some have fewer places on some axes."""
    shorter = list(inputs)
    for number, axis in places:
        shorter[number] = shorter[number].narrow(axis, 0, to(inputs[number].shape[axis]))
    return tuple(shorter)


class _Length(int):
    """The length of a tensor's axis, which knows whose it is as long as nobody calculates with it.

    It cannot be compared, counted with, or divided with a rest: what follows from that may differ
    elsewhere, also where it is the same on some other sizes. Its roots and quotients are numbers.
    """

    node: fx.Node
    axis: int

    def __new__(cls, value: int, node: fx.Node, axis: int) -> _Length:
        length = super().__new__(cls, value)
        length.node, length.axis = node, axis
        return length

    def _refused(self, *_: object) -> NoReturn:
        raise UnknownError

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = _refused
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __divmod__ = __rdivmod__ = _refused
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __neg__ = __pos__ = _refused
    __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = __and__ = __rand__ = __or__ = _refused
    __ror__ = __xor__ = __rxor__ = __invert__ = __abs__ = __int__ = __round__ = __trunc__ = _refused
    __floor__ = __ceil__ = _refused
    __hash__ = int.__hash__


class _Known(NamedTuple):
    """A tensor that stands in the graph, and how often it had been changed in place then."""

    value: Tensor
    node: fx.Node
    version: int


class _Recorder(TorchFunctionMode):
    """Follows a module through the operations that OPERATIONS knows, and writes them down."""

    def __init__(
        self,
        module: nn.Module,
        inputs: tuple[Tensor, ...],
        wanted: Sequence[str],
        course: Course,
    ) -> None:
        super().__init__()
        self.graph = fx.Graph()
        self.parameters: dict[fx.Node, str] = {}
        self._buffers: dict[str, Tensor] = {}
        self._known: dict[int, _Known] = {}  # by id, which a living tensor keeps
        whole = Followed(fresh(module), course)
        for name, value in whole.module.named_parameters():
            self.parameters[self._placed(f"parameter_{name}", value)] = name
        clones = {id(x): x.clone() for x in inputs}  # what is given is not to be changed
        given = tuple(clones[id(x)] for x in inputs)
        for name, x in zip(course.form.names(len(inputs)), given, strict=True):
            self._placed(f"argument_{name}", x)
        self._stored = {id(x): (name, x) for name, x in whole.module.named_buffers()}
        before = _state(whole.module)
        with self, visits(whole.module, wanted, self._visit):
            results = whole(given)
        changed = any(version(known.value) != known.version for known in self._known.values())
        if changed or _state(whole.module) != before:
            raise UnknownError
        self.graph.output([self._node(x) for x in results])

    def module(self) -> fx.GraphModule:
        """Return what was written down as a module."""
        root = nn.Module()
        for name, value in self._buffers.items():
            root.register_buffer(name, value)
        return fx.GraphModule(root, self.graph)

    def has_course_of(
        self,
        module: nn.Module,
        inputs: tuple[Tensor, ...],
        wanted: Sequence[str],
        course: Course,
    ) -> bool:
        """Return whether a module does the same on other inputs, if it can take them at all."""
        try:
            return str(_Recorder(module, inputs, wanted, course).graph) == str(self.graph)
        except (UnknownError, UsageError):
            return False
        except Exception:  # the weights, or the module itself, allow no other size
            return True

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in ABOUT:
            return func(*args, **kwargs)
        if func in LENGTHS:
            return self._lengths(func(*args, **kwargs), *args, **kwargs)
        if func not in OPERATIONS or any(map(torch.is_autocast_enabled, _DEVICES)):
            raise UnknownError
        truth = func(*args, **kwargs)
        try:
            found = OPERATIONS[func](self, *args, **kwargs)
        except Exception as error:  # a module that catches it would go on as it does nowhere else
            raise UnknownError from error
        if found.dtype != truth.dtype or not torch.equal(found, truth):
            raise UnknownError
        return found

    def call(self, operation: Any, *args: Any, **named: Any) -> Tensor:
        """Return what an operation of the graph gives, and write it down."""
        result: Tensor = operation(*args, **named)
        node = self.graph.call_function(operation, tuple(map(self._written, args)), named)
        return self._keep(result, node)

    def length(self, x: Tensor, axis: int) -> int:
        """Return the length of an axis, by which it is known in the graph."""
        return _Length(x.shape[axis], self._node(x), axis)

    def _keep(self, value: Tensor, node: fx.Node) -> Tensor:
        node.meta["val"] = torch.empty_like(value, device="meta")
        self._known[id(value)] = _Known(value, node, version(value))
        return value

    def _placed(self, name: str, value: Tensor) -> fx.Node:
        if id(value) in self._known:
            raise UnknownError
        node = self.graph.placeholder(re.sub(r"\W", "_", name))
        node.target = node.name  # no other has it
        self._keep(value, node)
        return node

    def _visit(self, x: Tensor, point: str) -> Tensor:
        node = self.graph.call_function(mark._opoverload, (self._node(x), point))
        node.meta = dict(self._node(x).meta)
        return x

    def _node(self, x: Tensor) -> fx.Node:
        if id(x) in self._known:
            return self._known[id(x)].node
        if id(x) not in self._stored:
            raise UnknownError
        node = self.graph.create_node("get_attr", f"constant_{self._stored[id(x)][0]}")
        node.target = node.name  # no other has it
        self._buffers[node.name] = x
        self._keep(x, node)
        return node

    def _lengths(self, lengths: Any, x: Tensor, axis: int | None = None) -> Any:
        node = self._node(x)
        if node in self.parameters or node.op == "get_attr":
            return lengths
        if axis is not None:
            return _Length(lengths, node, axis)
        return tuple(_Length(length, node, axis) for axis, length in enumerate(lengths))

    def _written(self, value: Any) -> Any:
        """Return an argument as it stands in the graph."""
        if isinstance(value, Tensor):
            return self._node(value)
        if isinstance(value, _Length):
            node = self.graph.call_function(aten.sym_size.int, (value.node, value.axis))
            node.meta["val"] = operator.index(value)
            return node
        if isinstance(value, list | tuple):
            return [self._written(item) for item in value]
        if isinstance(value, float):
            return float(value)  # one of numpy's is written by a name that graphs do not know
        if value is None or type(value) in (bool, int, str):
            return value
        raise UnknownError


def _state(module: nn.Module) -> list[tuple[int, int]]:
    """Return which tensors a module holds, and how often each was changed."""
    held = (x for part in module.modules() for _, x in tensors(list(vars(part).values())))
    return [(id(x), version(x)) for x in held]
