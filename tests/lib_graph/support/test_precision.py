"""How a card multiplies numbers of float32 is set for a while, and comes back."""

import pytest
import torch

from lib_graph.support.precision import products

BACKENDS = torch.backends
NEW = pytest.mark.skipif(not hasattr(BACKENDS.cudnn, "conv"), reason="older than torch 2.9")


def older():
    """What torch itself and other libraries read; an error where switches contradict each other."""
    return [BACKENDS.cudnn.allow_tf32, BACKENDS.cuda.matmul.allow_tf32]


def each():
    places = (BACKENDS.cuda.matmul, BACKENDS.cudnn.conv, BACKENDS.cudnn.rnn)
    return [place.fp32_precision for place in places]


@pytest.mark.parametrize("tf32", [False, True])
def test_it_is_set_for_a_while_and_the_older_switches_agree(tf32):
    before = older()
    with products(tf32=tf32):
        assert older() == [tf32, tf32]
    assert older() == before


@NEW
def test_each_operation_has_it_and_gets_back_what_it_had():
    before = each()
    with products(tf32=False):
        assert each() == ["ieee"] * 3
        with products(tf32=True):
            assert each() == ["tf32"] * 3
        assert each() == ["ieee"] * 3
    assert each() == before


@NEW
def test_what_a_user_set_for_one_operation_alone_comes_back():
    before, readable = BACKENDS.cudnn.conv.fp32_precision, older()
    BACKENDS.cudnn.conv.fp32_precision = "ieee"
    try:
        mixed = each()
        with products(tf32=False):
            assert each() == ["ieee"] * 3
        assert each() == mixed
    finally:
        BACKENDS.cudnn.conv.fp32_precision = before
    assert older() == readable


@NEW
def test_of_several_that_overlap_the_last_that_leaves_brings_it_back():
    before, first, second = each(), products(tf32=True), products(tf32=False)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert each() == ["ieee"] * 3
    second.__exit__(None, None, None)
    assert each() == before
