"""Bases and dictionaries out: other libraries' loaders, and ours, find the same features."""

import pytest
import torch

from lib_graph.dictionaries import read_dictionaries
from lib_graph.dictionaries.writing import write_dictionaries
from lib_graph.errors import ConflictError, NotFoundError, UsageError
from lib_graph.method.basis import LayerBasis
from lib_graph.method.dictionary import Dictionary
from lib_graph.method.transcoder import outputs


def lib(width=5, features=4):
    torch.manual_seed(0)
    rotation = torch.randn(width, features).double()
    return LayerBasis(
        rotation, torch.linalg.pinv(rotation), torch.randn(width).double(), None, None
    )


def made(activation, **more):
    torch.manual_seed(1)
    parts = torch.randn(5, 8), torch.randn(8), torch.randn(8, 5), torch.randn(5)
    return Dictionary(*(x.double() for x in parts), activation, **more)


THRESHOLD = {"threshold": torch.linspace(0, 1, 8).double()}
DICTIONARIES = {
    "relu": made("relu"), "jumprelu": made("jumprelu", **THRESHOLD), "topk": made("topk", k=3),
    "abs-topk": made("abs-topk", k=3),
}  # fmt: skip


def inputs():
    return torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(3)).double()


def recovered(basis, x):
    return basis.amounts(x) @ basis.inverse + basis.origin_at(x)


@pytest.mark.parametrize("name", DICTIONARIES)
def test_saelens_gets_the_same_features(name, tmp_path):
    held, x = DICTIONARIES[name], inputs()
    write_dictionaries(tmp_path / "out", {"ln1.3": held}, "saelens", "m")
    (found,) = read_dictionaries(tmp_path / "out")
    assert found.hook == "blocks.3.hook_resid_pre"
    assert torch.allclose(found.holds.coordinates(x), held.coordinates(x), atol=1e-5)
    assert torch.allclose(recovered(found.holds, x), recovered(held, x), atol=1e-5)


def test_features_of_lib_become_two(tmp_path):
    held, x = lib(), inputs()
    write_dictionaries(tmp_path / "out", {"ln1.0": held, "ln2.0": held}, "saelens", "m")
    for found in read_dictionaries(tmp_path / "out"):
        features = found.holds.coordinates(x)
        assert features.min() >= 0
        both = features[..., ::2] - features[..., 1::2]
        assert torch.allclose(both, held.coordinates(x), atol=1e-5)
        assert torch.allclose(recovered(found.holds, x), recovered(held, x), atol=1e-5)


@pytest.mark.parametrize("name", ["relu", "jumprelu"])
def test_circuit_tracer_gets_the_same_features(name, tmp_path):
    held, x = DICTIONARIES[name], inputs()
    write_dictionaries(tmp_path / "out", {"ln1.0": held, "ln1.1": held}, "circuit-tracer", "m")
    found = read_dictionaries(tmp_path / "out")
    assert [each.hook for each in found] == ["blocks.0.hook_resid_pre", "blocks.1.hook_resid_pre"]
    for each in found:
        assert torch.allclose(each.holds.coordinates(x), held.coordinates(x), atol=1e-5)
        assert torch.allclose(outputs([each.holds], [x])[0], recovered(held, x), atol=1e-5)


@pytest.mark.parametrize(
    ("held", "format", "error", "words"),
    [
        (made("groupmax", k=4), "saelens", UsageError, "has the activation groupmax: saelens has"),
        (made("topk", k=4), "circuit-tracer", UsageError, "has the activation topk"),
        (made("relu", scaling="norm"), "saelens", UsageError, "has the scaling norm"),
        (lib(), "sae", NotFoundError, "Format 'sae' not found. Closest: 'saelens'"),
    ],
)
def test_what_a_format_cannot_say_is_refused(held, format, error, words, tmp_path):
    with pytest.raises(error, match=words):
        write_dictionaries(tmp_path / "out", {"x": held}, format, "m")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("layers", "format", "words"),
    [
        (["ln1.0", "ln2.0"], "circuit-tracer", "the same one of blocks 0, 1, …; the layers are"),
        (["ln1.1", "ln1.0"], "circuit-tracer", "in this order"),
        (["a/b", "a_b"], "saelens", "'a/b' and 'a_b' would both go to the folder 'a_b'"),
    ],
)
def test_layers_that_a_format_cannot_tell_apart_are_refused(layers, format, words, tmp_path):
    bases = dict.fromkeys(layers, DICTIONARIES["relu"])
    with pytest.raises(UsageError, match=words):
        write_dictionaries(tmp_path / "out", bases, format, "m")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_there_is_left_alone(tmp_path):
    with pytest.raises(ConflictError, match="is there already"):
        write_dictionaries(tmp_path, {"x": lib()}, "saelens", "m")
