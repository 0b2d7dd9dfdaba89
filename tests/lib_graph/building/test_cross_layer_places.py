"""Which of a cross-layer transcoder's decoders lead to which of a network's layers."""

from dataclasses import replace

import pytest
import torch

import lib_graph
from lib_graph.building.cross_layer import aligned
from lib_graph.dictionaries import read_dictionaries
from lib_graph.dictionaries.bases_file import write_bases
from lib_graph.errors import UsageError
from tests.lib_graph.building.cross_layered import (
    BLOCKS,
    LAYERS,
    NAMES,
    D,
    build,
    data,
    module,
    parts,
    written,
)
from tests.lib_graph.nets import random_basis


@pytest.mark.parametrize("reach", [BLOCKS, 2])
@pytest.mark.parametrize("some", [(0, 1), (0, 2), (1, 2)])
def test_some_layers_of_a_run_are_those_of_what_it_was_given(some, reach, tmp_path):
    """Whichever is left out: decoders do not move on to the layer that takes its place."""
    given = {each.hook: each for each in read_dictionaries(written(tmp_path / "clt", reach=reach))}
    file = tmp_path / "bases.safetensors"
    write_bases(file, {"stream": random_basis(D, 2)}, {}, aligned(given, NAMES))
    kept = {each.hook: each for each in read_dictionaries(file)}
    names = [NAMES[i] for i in some]
    found, truth = (aligned({x: each[x] for x in names}, names) for each in (kept, given))
    assert_equal(found, truth, names)
    write_bases(file, {"stream": random_basis(D, 2)}, {}, found)  # of a run over these layers
    again = {each.hook: each for each in read_dictionaries(file)}
    assert_equal(aligned({x: again[x] for x in names}, names), truth, names)


def assert_equal(found, truth, names):
    assert list(found) == list(truth) == names
    for name in names:
        for part in ("encoder", "decoders", "decoder_bias", "place"):
            assert torch.equal(*(torch.as_tensor(getattr(x[name], part)) for x in (found, truth)))


def test_what_cannot_be_handed_on_is_refused(tmp_path):
    folder = written(tmp_path / "clt")
    between = [LAYERS[0], "middle=2:in", *LAYERS[1:]]
    with pytest.raises(UsageError, match=r"Layer 'middle' lies between .* Leave it out"):
        build(tmp_path / "run", "pca", str(folder), layers=between)
    turned = f"b={folder / 'W_enc_1.safetensors'}", f"a={folder / 'W_enc_0.safetensors'}"
    options, layers = lib_graph.Options(basis=turned), ["b=1.mlp:in", "a=2.mlp:in", "output"]
    with pytest.raises(UsageError, match=r"'b' of blocks\.1\.mlp\.hook_in, 'a' of blocks\.0"):
        lib_graph.build(module(), tmp_path / "run", options, data=data(), layers=layers)
    assert not (tmp_path / "run").exists()
    first, second = read_dictionaries(folder)[:2]
    with pytest.raises(UsageError, match="Layer 'middle' lies between 'a' and 'b'"):
        aligned({"a": first, "b": second}, ["a", "middle", "b", "output"])
    with pytest.raises(UsageError, match=r"'a' of blocks\.0.*'b' of blocks\.0.*in the order of"):
        aligned({"a": first, "b": first}, ["a", "b"])
    alone = replace(second, holds=replace(second.holds, place=None))
    with pytest.raises(UsageError, match="stand beside others, which they do not write to"):
        aligned({"a": first, "b": alone}, ["a", "b"])
    with pytest.raises(UsageError, match=r"stand beside others \(circuit-tracer and sparsify\)"):
        aligned({"a": first, "b": replace(alone, form="sparsify")}, ["a", "b"])


def test_what_is_written_to_blocks_without_a_transcoder_is_left_out(tmp_path):
    folder = written(tmp_path / "clt")
    found = {f"at {i}": read_dictionaries(folder / f"W_enc_{i}.safetensors")[0] for i in (0, 2)}
    held = aligned(found, ["input", "at 0", "at 2", "output"])
    assert list(held) == ["at 0", "at 2"]
    decoders = [each["W_dec"].double() for each in parts()]
    assert torch.equal(held["at 0"].decoders, decoders[0][:, [0, 2]])
    assert torch.equal(held["at 2"].decoders, decoders[2])
