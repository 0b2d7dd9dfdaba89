"""A network with two MLPs, transcoders of them, and the files in which libraries keep those."""

import json

import torch
from safetensors.torch import save_file
from torch import nn

from lib_graph.method.transcoder import Transcoder
from tests.lib_graph.building.blocks import Block
from tests.lib_graph.nets import random_

D, R, POSITIONS = 4, 7, 2
LAYERS = ["first=1.mlp:in", "second=2.mlp:in", "stream=3:in", "output"]
OWN = R + 1 + D  # coordinates: the features, the error's size, its direction
CASES = {
    "relu with a skip": {"activation": "relu"},
    "topk": {"activation": "topk", "k": 3},
    "jumprelu": {"activation": "jumprelu", "threshold": torch.linspace(0, 0.5, R).double()},
}


def module():
    net = random_(nn.Sequential(nn.Linear(3, D), Block(D), Block(D), nn.Linear(D, 2)))
    return net.requires_grad_(False)


def data():
    return torch.randn(5, POSITIONS, 3, generator=torch.Generator().manual_seed(9)).double()


def transcoder(case, seed):
    torch.manual_seed(seed)
    shapes = (D, R), (R,), (R, 1, D), (D,), (D, D)
    *parts, skip = ((torch.randn(shape) / 2).double() for shape in shapes)
    return Transcoder(*parts, skip=skip if "skip" in case else None, **CASES[case])


def saelens(folder, each, **metadata):
    folder.mkdir(parents=True)
    words = "jumprelu_" * (each.activation == "jumprelu") + "skip_" * (each.skip is not None)
    config = {"architecture": f"{words}transcoder", "normalize_activations": "none",
              "metadata": {"sae_lens_version": "6.54.0", **metadata}}  # fmt: skip
    (folder / "cfg.json").write_text(json.dumps(config))
    parts = {"W_enc": each.encoder, "b_enc": each.encoder_bias, "b_dec": each.decoder_bias,
             "W_dec": each.decoders[:, 0], "threshold": each.threshold,
             "W_skip": None if each.skip is None else each.skip.T}  # fmt: skip
    save(folder / "sae_weights.safetensors", parts)
    return folder


def sparsify(folder, each):
    folder.mkdir(parents=True)
    config = {"k": each.k, "d_in": D, "num_latents": R, "activation": "topk", "transcode": True}
    (folder / "cfg.json").write_text(json.dumps(config))
    parts = {"encoder.weight": each.encoder.T, "encoder.bias": each.encoder_bias,
             "W_dec": each.decoders[:, 0], "b_dec": each.decoder_bias}  # fmt: skip
    save(folder / "sae.safetensors", parts)


def save(path, parts):
    save_file({name: x.contiguous() for name, x in parts.items() if x is not None}, path)
