"""What other libraries call the points of a language model, in the families that are known."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lib_graph.building.places import check_widths
from lib_graph.cutting.points import is_point
from lib_graph.dictionaries import read_dictionaries
from lib_graph.dictionaries.fitting import Wanted, by_layer
from lib_graph.dictionaries.found import Found
from lib_graph.errors import UsageError
from lib_graph.method.basis import LayerBasis
from lib_graph.networks import load_subject
from tests.lib_graph.dictionaries.writers import BASE, saelens
from tests.lib_graph.language_models import save_model, tokens

STREAM = ["blocks.1.hook_resid_pre", "blocks.0.hook_resid_post", "blocks.1.hook_resid_mid"]
NAMES = {  # TransformerLens: (as modules of Llama, of GPT-2, of GPT-Neo)
    "blocks.1.attn.hook_z": (
        "layers.1.self_attn.o_proj:in",
        "h.1.attn.c_proj:in",
        "h.1.attn.attention.out_proj:in",
    ),
    "blocks.1.hook_attn_out": ("layers.1.self_attn:out", "h.1.attn:out", "h.1.attn.attention:out"),
    "blocks.1.hook_mlp_out": ("layers.1.mlp:out", "h.1.mlp:out", "h.1.mlp:out"),
    "blocks.1.mlp.hook_in": ("layers.1.mlp:in", "h.1.mlp:in", "h.1.mlp:in"),
    "hook_embed": ("embed_tokens:out", "wte:out", "wte:out"),
}
FAMILIES = {"llama": "model", "gpt2": "transformer", "gpt_neo": "transformer"}


@pytest.fixture(scope="module", params=FAMILIES)
def known(request, tmp_path_factory):
    subject = load_subject(save_model(tmp_path_factory.mktemp(request.param), request.param))
    return request.param, subject


def spellings(path):
    """The names of one point of a module, as sparsify, Gemma Scope and others have them."""
    module, _, side = path.partition(":")
    dotted = f"{module}.{'input' if side == 'in' else 'output'}"
    return [path, dotted, f"model.{path}", f"model.{dotted}"] + [module] * (side == "out")


def test_each_name_is_a_point(known):
    family, subject = known
    column = list(FAMILIES).index(family)
    for name, paths in NAMES.items():
        point = f"model.{FAMILIES[family]}.{paths[column]}"
        assert is_point(subject.module, point)
        for each in (name, *spellings(paths[column])):
            assert point in subject.hooks.points(each), each
    for name in STREAM:
        points = subject.hooks.points(name)
        assert points
        assert all(is_point(subject.module, point) for point in points)


def test_what_the_stream_bypasses_may_be_wider_than_its_point(known):
    """A layer behind an MLP has the stream beside it, so that a run's basis of it is as wide."""
    _, subject = known
    wide = LayerBasis(torch.eye(32), torch.eye(32), torch.zeros(32), None, None)
    for name, refused in [("blocks.1.hook_mlp_out", False), ("blocks.1.hook_resid_mid", True)]:
        point = next(p for p in subject.hooks.points(name) if is_point(subject.module, p))
        here = replace(subject, layers={"x": point, "output": "output"})
        found = {"x": Found(Path("bases"), "lib-graph", "basis", wide)}
        if refused:
            with pytest.raises(UsageError, match="is for 32 coordinates; the layer has 16"):
                check_widths(here, here.module, (tokens(),), found)
        else:
            check_widths(here, here.module, (tokens(),), found)


def test_heads_are_not_centred(known, tmp_path):
    """TransformerLens centres what writes to the stream; what the heads pass on is before that."""
    _, subject = known
    kwargs = {"model_from_pretrained_kwargs": {"center_writing_weights": True}}
    meta = {"sae_lens_version": "6.54.12", "hook_name": "blocks.1.attn.hook_z", **kwargs}
    found = read_dictionaries(saelens(tmp_path, {"metadata": meta}, BASE))
    point = next(p for p in subject.hooks.points(meta["hook_name"]) if is_point(subject.module, p))
    (layer,) = by_layer([(Wanted(tmp_path), found)], {"z": point}, subject.hooks).items()
    assert layer == ("z", found[0])
