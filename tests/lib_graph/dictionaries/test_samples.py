"""Dictionaries saved by their libraries' own writers: inputs, features and reconstruction agree."""

import pytest
import torch
from safetensors.torch import load_file

from lib_graph.dictionaries import read_dictionaries as read
from lib_graph.method.basis import LayerBasis
from lib_graph.method.transcoder import Transcoder, outputs
from tests.data import reference_data

SAMPLES = {
    "circuit-tracer-0.5-clt": ("circuit-tracer", "blocks.0.hook_resid_mid"),
    "circuit-tracer-0.5-plt": ("circuit-tracer", "blocks.0.mlp.hook_in"),
    "dictionary_learning/resid_post_layer_1/trainer_0": ("Auto", "blocks.1.hook_resid_post"),
    "dictionary_learning/resid_post_layer_1/trainer_1": ("Gated", "blocks.1.hook_resid_post"),
    "dictionary_learning/resid_post_layer_1/trainer_2": ("JumpRelu", "blocks.1.hook_resid_post"),
    "dictionary_learning/resid_post_layer_1/trainer_3": ("TopK", "blocks.1.hook_resid_post"),
    "e2e_sae": ("e2e_sae", "blocks.2.hook_resid_pre"),
    "gemma-scope/layer_1/width_96/average_l0_8": ("Gemma Scope", "blocks.1.hook_resid_post"),
    "openai": ("OpenAI", None),
    "saelens-6.54-gated": ("SAELens 6.54, gated", "blocks.1.hook_resid_post"),
    "saelens-6.54-jumprelu": ("SAELens 6.54, jumprelu", "blocks.1.hook_resid_post"),
    "saelens-6.54-standard": ("SAELens 6.54, standard", "blocks.1.hook_resid_post"),
    "saelens-6.54-topk": ("SAELens 6.54, topk", "blocks.1.hook_resid_post"),
    "saelens-6.54-transcoder": ("SAELens 6.54, transcoder", "blocks.2.mlp.hook_in"),
    "sparsify-1.3/layers.1": ("sparsify, topk", "layers.1:out"),
    "sparsify-1.3/layers.2.mlp": ("sparsify, topk transcoder with a skip", "layers.2.mlp:in"),
}


@pytest.mark.parametrize("sample", SAMPLES)
def test_what_was_expected_of_a_sample(sample):
    folder = reference_data("formats") / "sae" / sample
    expected = {k: x.double() for k, x in load_file(folder / "expected.safetensors").items()}
    found = read(folder)
    held, x = [each.holds for each in found], expected["x"]
    if isinstance(held[0], Transcoder):
        inputs = list(x) if x.ndim == 3 else [x]
        features = [each.coordinates(y) for each, y in zip(held, inputs, strict=True)]
        again = outputs(held, inputs)
        if x.ndim == 3:
            features, again = [torch.stack(features)], [torch.stack(again)]
    else:
        features = [held[0].coordinates(x[None])[0]]
        back = held[0].amounts(x[None]) @ held[0].inverse + held[0].origin_at(x[None])
        again = [back[0]]
    assert torch.allclose(features[0], expected["f"], rtol=0, atol=1e-5)
    assert torch.allclose(again[0], expected["recon"], rtol=0, atol=1e-5)
    words, hook = SAMPLES[sample]
    assert words in found[0].described("x")
    assert found[0].hook == hook


def test_several_at_once():
    """A folder of folders holds what they hold."""
    assert len(read(reference_data("formats") / "sae" / "sparsify-1.3")) == 2
    assert len(read(reference_data("formats") / "sae")) == 24


@pytest.mark.parametrize("seed", range(3))
def test_a_rib_graph_and_what_was_published_of_it(seed):
    published = reference_data("modular-addition") / f"seed{seed}" / "reference-lib.safetensors"
    found = {each.hook: each.holds for each in read(published)}
    assert list(found) == ["ln1.0", "ln2.0", "unembed"]
    for basis in found.values():
        assert isinstance(basis, LayerBasis)
        assert basis.width == 128
        error = basis.inverse @ basis.rotation - torch.eye(basis.features)
        assert error.abs().max() < 1e-6
    if seed == 0:
        name = "modular_arithmetic_rib_seed0_rib_graph.trimmed.pt"
        again = {each.hook: each.holds for each in read(reference_data("formats") / "rib" / name)}
        assert again.keys() == found.keys()
        for layer, basis in found.items():
            assert torch.allclose(again[layer].rotation, basis.rotation, rtol=1e-6)
            assert torch.allclose(again[layer].mean, basis.mean, rtol=1e-6)
            assert torch.allclose(again[layer].importance, basis.importance, rtol=1e-6)
