"""A network with three MLPs, a cross-layer transcoder of each, and the folder that holds those."""

from dataclasses import replace

import torch
from safetensors.torch import save_file
from torch import nn

import lib_graph
from lib_graph.dictionaries.hooks import Hooks
from lib_graph.networks.subject import Subject
from tests.lib_graph.building.blocks import Block
from tests.lib_graph.nets import random_

BLOCKS, D, R = 3, 3, 4
NAMES = [f"blocks.{i}.mlp.hook_in" for i in range(BLOCKS)]
LAYERS = [*(f"{name}={i + 1}.mlp:in" for i, name in enumerate(NAMES)), f"stream={BLOCKS + 1}:in",
          "output"]  # fmt: skip


def module():
    blocks = (Block(D) for _ in range(BLOCKS))
    return random_(nn.Sequential(nn.Linear(3, D), *blocks, nn.Linear(D, 2))).requires_grad_(False)


def data():
    return torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(9)).double()


def parts(reach=BLOCKS):
    """W_enc, b_enc, W_dec, b_dec and thresholds of every block, as circuit-tracer has them.

    Those that write to the outputs of two blocks have a skip as well.
    """
    torch.manual_seed(5)
    found = [
        {"W_enc": torch.randn(R, D), "b_enc": torch.rand(R), "b_dec": torch.randn(D) / 2,
         "W_dec": torch.randn(R, BLOCKS - i, D) / 4, "threshold": torch.rand(R) / 4}
        for i in range(BLOCKS)
    ]  # fmt: skip
    if reach < BLOCKS:
        for each in found:
            each |= {"W_dec": each["W_dec"][:, :reach].contiguous(), "W_skip": torch.randn(D, D)}
    return found


def written(folder, hook="mlp.hook_in", reach=BLOCKS):
    folder.mkdir()
    for i, each in enumerate(parts(reach)):
        decoder = {f"W_dec_{i}": each.pop("W_dec")}
        save_file(decoder, folder / f"W_dec_{i}.safetensors")
        named = {f"{name}_{i}": x for name, x in each.items()}
        save_file(named, folder / f"W_enc_{i}.safetensors")
    (folder / "config.yaml").write_text(f"feature_input_hook: {hook}\n")
    return folder


def subject(layers):
    """The network with TransformerLens's names of its points."""
    hooks = {f"blocks.{i}.{name}": [f"{i + 1}.{path}:in"] for i in range(BLOCKS)
             for name, path in (("hook_resid_mid", "norm"), ("mlp.hook_in", "mlp"))}  # fmt: skip
    return replace(Subject.of(module(), data(), layers), hooks=Hooks(hooks))


def build(out, *basis, layers=LAYERS):
    return lib_graph.build(subject(layers), out, lib_graph.Options(basis=basis), force=True)
