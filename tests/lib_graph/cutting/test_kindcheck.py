"""A kind is held against its section: its values always, its derivative where one is taken."""

import pytest
import torch

from lib_graph.cutting.kindcheck import check_kinds
from lib_graph.errors import ModelError
from lib_graph.kinds import Linear
from lib_graph.method.network import Layer, Network, Section

WEIGHT = torch.arange(6.0, dtype=torch.float64).reshape(2, 3)


class Detached(Linear):
    """The right values, and no derivative."""

    def __call__(self, f):
        return super().__call__(f).detach()


class Undefined(Linear):
    """The right values, and a derivative that is NaN."""

    def __call__(self, f):
        return super().__call__(f) + 0 * (0 * f).sum().sqrt()


def network_of(kind):
    layers = (Layer(0, "a", ((1, 2),)), Layer(1, "b", ((1, 3),)))
    section = Section(*layers, lambda tensors, *_: [tensors[0] @ WEIGHT], {}, (), kind)
    return Network(layers, (section,), lambda f: ([f], ()))


def test_a_derivative_is_checked_unless_none_is_taken():
    inputs = (torch.ones(2, 1, 2, dtype=torch.float64),)
    right, detached = network_of(Linear(WEIGHT)), network_of(Detached(WEIGHT))
    assert check_kinds(right, inputs) == 0
    with pytest.raises(ModelError, match="is not the Detached it was declared to be"):
        check_kinds(detached, inputs)
    assert check_kinds(detached, inputs, derivatives=False) == 0


def test_values_are_checked_always():
    inputs = (torch.ones(2, 1, 2, dtype=torch.float64),)
    wrong = network_of(Linear(1.001 * WEIGHT))
    for derivatives in (True, False):
        with pytest.raises(ModelError, match="is not the Linear it was declared to be"):
            check_kinds(wrong, inputs, derivatives=derivatives)


def test_a_derivative_that_is_no_number_is_not_a_right_one():
    inputs = (torch.ones(2, 1, 2, dtype=torch.float64),)
    with pytest.raises(ModelError, match="is not the Undefined it was declared to be"):
        check_kinds(network_of(Undefined(WEIGHT)), inputs)
