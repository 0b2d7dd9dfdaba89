"""What transcoders are refused for, and what may stand beside them."""

import pytest
import torch
from safetensors.torch import load_file, save_file

import lib_graph
from lib_graph.errors import UsageError
from lib_graph.method.transcoder import Transcoder
from tests.lib_graph.building.transcoded import LAYERS, D, R, data, module, saelens, transcoder


def build(tmp_path, *basis, layers=LAYERS, **more):
    return lib_graph.build(
        module(), tmp_path / "run", lib_graph.Options(basis=basis), data=data(), layers=layers,
        **more,
    )  # fmt: skip


def test_what_cannot_stand_in_is_refused(tmp_path):
    """In a line, before anything is computed: other widths, no layer behind, several parts."""
    one = transcoder("jumprelu", 1)
    place = saelens(tmp_path / "one", one)
    narrow = saelens(tmp_path / "narrow", Transcoder(
        one.encoder[:3], one.encoder_bias, one.decoders, one.decoder_bias, "relu"))  # fmt: skip
    with pytest.raises(UsageError, match=r"3 coordinates in; 1\.mlp:in has the shape \[2, 4\]"):
        build(tmp_path, f"first={narrow}")
    with pytest.raises(UsageError, match="no layer follows 'last'"):
        build(tmp_path, f"last={place}", layers=["first=1.mlp:in", "last=2.mlp:in"])
    with pytest.raises(UsageError, match="'output' is no part's input"):
        build(tmp_path, f"output={place}", layers=["first=1.mlp:in", "output"])
    with pytest.raises(UsageError, match=r"Two transcoders are to stand in for '1\.mlp'"):
        build(tmp_path, f"a={place}", f"b={place}", layers=["a=1.mlp:in", "b=1.mlp:out", "output"])
    with pytest.raises(UsageError, match="'trapezoid' averages along a path"):
        lib_graph.build(
            module(), tmp_path / "run", lib_graph.Options(f"first={place}", rule="trapezoid"),
            data=data(), layers=LAYERS,
        )  # fmt: skip
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_transcoder_of_another_part_is_refused_unless_forced(tmp_path):
    far = transcoder("jumprelu", 1)
    place = saelens(tmp_path / "one", Transcoder(
        far.encoder, far.encoder_bias, far.decoders * 9, far.decoder_bias, "relu"))  # fmt: skip
    with pytest.raises(UsageError, match=r"'first' is [\d.]+ times the variance of 1\.mlp on"):
        build(tmp_path, f"first={place}", layers=["first=1.mlp:in", "output"])


@pytest.mark.slow
def test_dictionaries_and_a_basis_may_stand_beside(tmp_path):
    """A dictionary of the stream, the transcoder's layer, and PCA, as it is without the others."""
    place = saelens(tmp_path / "one", transcoder("jumprelu", 1))
    torch.manual_seed(3)
    parts = {"stream.encoder": torch.randn(D, 6), "stream.encoder_bias": torch.randn(6),
             "stream.decoder": torch.randn(6, D) / 9,
             "stream.decoder_bias": torch.zeros(D)}  # fmt: skip
    save_file(parts, tmp_path / "stream.safetensors", {"activation": "relu"})
    layers = ["input=0:in", "first=1.mlp:in", "stream=3:in", "output"]
    places = f"first={place}", f"stream={tmp_path / 'stream.safetensors'}"
    run = build(tmp_path, "pca", *places, layers=layers, force=True)
    assert [layer.features for layer in run.layers] == [3, R + 1 + D, 6, 2]
    alone = lib_graph.build(
        module(), tmp_path / "pca", lib_graph.Options(basis="pca"), data=data(),
        layers=[layers[0], "output"],
    )  # fmt: skip
    both = [load_file(each.path / "bases.safetensors")["input.rotation"] for each in (run, alone)]
    assert torch.equal(*both)
