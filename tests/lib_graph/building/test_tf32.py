"""TF32 is refused where there is none, reaches only interactions, and its error is measured.

A card's rounding is done by the processor here: operands of products lose all but 10 bits.
"""

from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lib_graph.building import build as building
from lib_graph.building import interactions_stage
from lib_graph.building.build import build
from lib_graph.building.options import Options
from lib_graph.errors import UsageError
from lib_graph.support.precision import check_tf32, products
from tests.lib_graph.nets import transformer_subject

PRODUCTS = {"mm", "bmm", "addmm", "addmm_", "baddbmm", "baddbmm_"}
LEAST = 10  # bits of a mantissa


class Rounded(TorchDispatchMode):
    """Round what float32 products take to as many bits as TF32 has."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        if name in PRODUCTS:
            kept = len(args) - 2  # what a product is added to
            args = (*args[:kept], *map(rounded, args[kept:]))
        return function(*args, **(kwargs or {}))


def rounded(x):
    if x.dtype != torch.float32:
        return x
    mantissa, exponent = torch.frexp(x)
    return torch.ldexp((mantissa * 2 ** (LEAST + 1)).round(), exponent - LEAST - 1)


@contextmanager
def rounding(*, tf32):
    with Rounded() if tf32 else torch.no_grad():
        yield


def settings():
    backends = torch.backends
    return [x.fp32_precision for x in (backends.cuda.matmul, backends.cudnn.conv)]


def test_rounding_keeps_ten_bits():
    assert rounded(torch.tensor([1 + 2**-10, 1 + 2**-11 + 2**-20, -3.0])).tolist() == [
        1 + 2**-10, 1 + 2**-10, -3.0,
    ]  # fmt: skip


@pytest.mark.skipif(not hasattr(torch.backends.cudnn, "conv"), reason="older than torch 2.9")
def test_products_are_in_full_or_in_tf32_and_what_was_set_comes_back():
    before = settings()
    for tf32, value in ((False, "ieee"), (True, "tf32")):
        with products(tf32=tf32):
            assert settings() == [value, value]
        assert settings() == before


@pytest.mark.slow
def test_interactions_alone_are_rounded_and_the_run_says_how_far(tmp_path, monkeypatch):
    subject = transformer_subject()
    subject = replace(subject, inputs=(subject.inputs[0][:8],))  # a batch, which is the one held
    whole = build(subject, tmp_path / "whole", Options(dtype="float32"))
    monkeypatch.setattr(building, "check_tf32", lambda device: None)
    monkeypatch.setattr(interactions_stage, "products", rounding)
    run = build(subject, tmp_path / "rounded", Options(dtype="float32", tf32=True))
    assert run.manifest.config.tf32
    assert run.id != whole.id
    assert run.features.drop(columns="run").equals(whole.features.drop(columns="run"))
    exact = whole.interactions.set_index(["source_layer", "source", "target"])
    rough = run.interactions.set_index(["source_layer", "source", "target"])
    for layer in run.layers[:-1]:
        expected = largest(exact.loc[layer.name], rough.loc[layer.name])
        assert 1e-5 < expected < 0.1
        assert run.manifest.checks[f"tf32_error.{layer.name}"] == pytest.approx(expected, rel=1e-6)


def largest(exact, rough):
    """Return the largest relative difference among the sources that carry 99 % of a target."""
    found = []
    for target, one in exact[exact.index.get_level_values(0) > 0].groupby(level="target"):
        strengths = one.droplevel("target").strength.sort_values(ascending=False)
        before = strengths.cumsum().shift(fill_value=0)
        some = strengths[(before < 0.99 * strengths.sum()) & (strengths > 0)]
        other = rough.xs(target, level="target").strength.reindex(some.index)
        found.append(((other - some).abs() / some).max())
    return max(found)


def test_an_old_card_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla V100")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 0))
    with pytest.raises(UsageError, match=r"Tesla V100 has no TF32: its compute capability is 7\.0"):
        check_tf32(torch.device("cuda", 0))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    check_tf32(torch.device("cuda", 0))


def test_float64_is_refused():
    with pytest.raises(UsageError, match="products of float32, and dtype is float64"):
        Options(tf32=True)


def test_a_build_without_a_card_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UsageError, match="of CUDA cards, and the device is 'cpu'"):
        build(transformer_subject(), tmp_path / "run", Options(dtype="float32", tf32=True))
    assert not (tmp_path / "run").exists()
