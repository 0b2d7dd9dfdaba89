"""Dictionaries as libraries write them, each with what their source computes from it.

`WRITERS[name](folder)` returns the file or folder written, and a function from inputs to features
and reconstruction that shares no code with the readers.
"""

import json

import numpy as np
import torch
from safetensors.torch import save_file

D, R, K = 6, 10, 3

torch.manual_seed(0)
ENC, DEC = torch.randn(D, R), torch.randn(R, D)
B, C, THETA = torch.randn(R), torch.randn(D), torch.rand(R)
SKIP = torch.randn(D, D)


def relu(x):
    return x.clamp_min(0)


def jump(x, theta=THETA):
    return relu(x) * (x > theta)


def top(x, k=K):
    least = x.sort(-1, descending=True).values[..., k - 1 : k]
    return relu(x) * (x >= least)


def same(x):
    return {name: value.contiguous() for name, value in x.items()}


def saelens(folder, cfg, tensors, version="6.54.12"):
    meta = {"sae_lens_version": version, "hook_name": "blocks.1.hook_resid_post"}
    whole = {"d_in": D, "d_sae": R, "normalize_activations": "none", "metadata": meta, **cfg}
    (folder / "cfg.json").write_text(json.dumps(whole))
    save_file(same(tensors), folder / "sae_weights.safetensors")
    return folder


BASE = {"W_enc": ENC, "W_dec": DEC, "b_enc": B, "b_dec": C}


def saelens_old(folder):
    """Before 6 all is flat, dtype is torch's, and b_dec is subtracted unless it says otherwise."""
    cfg = {"d_in": D, "d_sae": R, "hook_point": "blocks.{layer}.hook_resid_pre",
           "hook_point_layer": 2, "dtype": "torch.float32",
           "normalize_activations": False}  # fmt: skip
    (folder / "cfg.json").write_text(json.dumps(cfg))
    save_file(same({**BASE, "scaling_factor": torch.ones(R)}), folder / "sae_weights.safetensors")

    def run(x):
        f = relu((x - C) @ ENC + B)
        return f, f @ DEC + C

    return folder, run


def saelens_old_topk(folder):
    cfg = {"architecture": "standard", "activation_fn_str": "topk", "sae_lens_version": "5.4.2",
           "activation_fn_kwargs": {"k": K}, "apply_b_dec_to_input": False,
           "hook_name": "blocks.1.hook_resid_post", "d_in": D, "d_sae": R}  # fmt: skip
    (folder / "cfg.json").write_text(json.dumps(cfg))
    save_file(same(BASE), folder / "sae_weights.safetensors")

    def run(x):
        f = top(x @ ENC + B)
        return f, f @ DEC + C

    return folder, run


def saelens_finetuned(folder):
    factor = torch.rand(R) + 0.5
    saelens(
        folder,
        {"finetuning_scaling_factor": True, "apply_b_dec_to_input": True},
        {**BASE, "scaling_factor": factor},
        "4.0.0",
    )

    def run(x):
        f = relu((x - C) @ ENC + B)
        return f, (f * factor) @ DEC + C

    return folder, run


def saelens_layer_norm(folder):
    saelens(folder, {"architecture": "jumprelu", "normalize_activations": "layer_norm",
                     "apply_b_dec_to_input": True}, {**BASE, "threshold": THETA})  # fmt: skip

    def run(x):
        mu, sigma = x.mean(-1, keepdim=True), x.std(-1, keepdim=True)
        f = jump(((x - mu) / (sigma + 1e-5) - C) @ ENC + B)
        return f, (f @ DEC + C) * sigma + mu

    return folder, run


def saelens_constant_norm(folder):
    saelens(folder, {"architecture": "standard", "apply_b_dec_to_input": False,
                     "normalize_activations": "constant_norm_rescale"}, BASE, "6.18.0")  # fmt: skip

    def run(x):
        scale = D**0.5 / x.norm(dim=-1, keepdim=True)
        f = relu((x * scale) @ ENC + B)
        return f, (f @ DEC + C) / scale

    return folder, run


def saelens_skip(folder):
    saelens(folder, {"architecture": "jumprelu_skip_transcoder", "d_out": D},
            {**BASE, "threshold": THETA, "W_skip": SKIP})  # fmt: skip

    def run(x):
        f = jump(x @ ENC + B)
        return f, f @ DEC + C + x @ SKIP.T

    return folder, run


def run_over_a_transcoder(folder):
    """As `lib_graph.dictionaries.bases_file` has a layer at which a transcoder stands in."""
    parts = {"rotation": torch.eye(3), "mean": torch.zeros(3), "transcoder_encoder": ENC,
             "transcoder_encoder_bias": B, "transcoder_decoders": DEC[:, None],
             "transcoder_decoder_bias": C, "transcoder_threshold": THETA,
             "transcoder_skip": SKIP.T}  # fmt: skip
    words = {"blocks.1.hook_resid_post.transcoder_activation": "jumprelu"}
    named = {f"blocks.1.hook_resid_post.{name}": x for name, x in parts.items()}
    save_file(same(named), folder / "bases.safetensors", words)

    def run(x):
        f = jump(x @ ENC + B)
        return f, f @ DEC + C + x @ SKIP.T

    return folder, run


def dictionary_learning(folder, kind, tensors, **trainer):
    torch.save(tensors, folder / "ae.pt")
    trainer = {"dict_class": kind, "submodule_name": "resid_post_layer_1", **trainer}
    (folder / "config.json").write_text(json.dumps({"trainer": trainer, "buffer": {"io": "out"}}))
    return folder


ROWS = {"encoder.weight": ENC.T, "encoder.bias": B, "decoder.weight": DEC.T}
SCALARS = {"k": torch.tensor(K), "threshold": torch.tensor(0.4)}


def auto_encoder_new(folder):
    dictionary_learning(folder, "AutoEncoderNew", {**ROWS, "decoder.bias": C})

    def run(x):
        f = relu(x @ ENC + B)
        return f, f @ DEC + C

    return folder, run


def batch_topk(folder):
    dictionary_learning(folder, "BatchTopKSAE", {**ROWS, "b_dec": C, **SCALARS})

    def run(x):
        before = relu((x - C) @ ENC + B)
        f = before * (before > 0.4)
        return f, f @ DEC + C

    return folder, run


def matryoshka(folder):
    sizes = {"group_sizes": torch.tensor([4, 6])}
    dictionary_learning(folder, "MatryoshkaBatchTopKSAE", {**BASE, **SCALARS, **sizes})

    def run(x):
        before = relu((x - C) @ ENC + B)
        f = before * (before > 0.4)
        return f, f @ DEC + C

    return folder, run


def sparsify_groupmax(folder):
    here = folder / "layers.1"
    here.mkdir()
    cfg = {"activation": "groupmax", "k": 5, "d_in": D, "num_latents": R, "transcode": False}
    (here / "cfg.json").write_text(json.dumps(cfg))
    parts = {"encoder.weight": ENC.T, "encoder.bias": B, "W_dec": DEC, "b_dec": C}
    save_file(same(parts), here / "sae.safetensors")

    def run(x):
        before = relu((x - C) @ ENC + B)
        groups = before.unflatten(-1, (5, 2))
        f = (groups * (groups == groups.amax(-1, keepdim=True))).flatten(-2)
        return f, f @ DEC + C

    return folder, run


def gemma_scope_2(folder):
    here = folder / "transcoder" / "layer_1_width_16k"
    here.mkdir(parents=True)
    config = {"hf_hook_point_in": "model.layers.1.pre_feedforward_layernorm.output",
              "hf_hook_point_out": "model.layers.1.post_feedforward_layernorm.output"}  # fmt: skip
    (here / "config.json").write_text(json.dumps(config))
    save_file(
        same({"w_enc": ENC, "w_dec": DEC, "b_enc": B, "b_dec": C, "threshold": THETA,
              "affine_skip_connection": SKIP}), here / "params.safetensors"
    )  # fmt: skip

    def run(x):
        f = jump(x @ ENC + B)
        return f, f @ DEC + C + x @ SKIP

    return here, run


def gemma_embedding(folder):
    here = folder / "embedding" / "width_4k" / "average_l0_21"
    here.mkdir(parents=True)
    parts = {"w_enc": ENC, "W_dec": DEC, "b_enc": B, "b_dec": C, "threshold": THETA}
    np.savez(here / "params.npz", **{name: x.numpy() for name, x in parts.items()})

    def run(x):
        f = jump(x @ (ENC / D**0.5) + B)
        return f, f @ (DEC * D**0.5) + C

    return here, run


def openai_relu(folder):
    parts = {"pre_bias": C, "latent_bias": B, "encoder.weight": ENC.T, "decoder.weight": DEC.T}
    torch.save({**parts, "activation": "ReLU", "activation_state_dict": {}}, folder / "3.pt")

    def run(x):
        f = relu((x - C) @ ENC + B)
        return f, f @ DEC + C

    return folder / "3.pt", run


def circuit_tracer_skip(folder):
    parts = {"W_enc": ENC.T, "W_dec": DEC, "b_enc": B, "b_dec": C, "W_skip": SKIP}
    parts["activation_function.threshold"] = THETA - 0.8  # some are below 0
    save_file(same(parts), folder / "layer_0.safetensors")
    (folder / "config.yaml").write_text(
        "model_kind: transcoder_set\nfeature_input_hook: mlp.hook_in\n"
    )

    def run(x):
        before = x @ ENC + B
        f = before * (before > THETA - 0.8)
        return f, f @ DEC + C + x @ SKIP.T

    return folder, run


def llama_scope(folder):
    (folder / "checkpoints").mkdir()
    config = {"d_model": D, "d_sae": R, "hook_point_in": "blocks.1.hook_resid_post",
              "jump_relu_threshold": 0.3,
              "dataset_average_activation_norm": {"in": 7.0}}  # fmt: skip
    (folder / "hyperparams.json").write_text(json.dumps(config))
    save_file(same({**ROWS, "decoder.bias": C}), folder / "checkpoints" / "final.safetensors")
    scale = D**0.5 / 7.0

    def run(x):
        f = jump(x * scale @ ENC + B, 0.3)
        return f, (f @ DEC + C) / scale

    return folder, run


def goodfire(folder):
    parts = {"encoder_linear.weight": ENC.T, "encoder_linear.bias": B,
             "decoder_linear.weight": DEC.T, "decoder_linear.bias": C}  # fmt: skip
    torch.save(parts, folder / "Llama-3.1-8B-Instruct-SAE-l19.pth")

    def run(x):
        f = relu(x @ ENC + B)
        return f, f @ DEC + C

    return folder, run


def qwen_scope(folder):
    here = folder / "SAE-Res-Qwen3-1.7B-Base-W32K-L0_3"
    here.mkdir()
    torch.save({"W_enc": ENC.T, "W_dec": DEC.T, "b_enc": B, "b_dec": C}, here / "layer4.sae.pt")

    def run(x):
        f = top(x @ ENC + B)
        return f, f @ DEC + C

    return here, run


WRITERS = {
    writer.__name__: writer
    for writer in (
        saelens_old, saelens_old_topk, saelens_finetuned, saelens_layer_norm, saelens_constant_norm,
        saelens_skip, run_over_a_transcoder, auto_encoder_new, batch_topk, matryoshka,
        sparsify_groupmax, gemma_scope_2,
        gemma_embedding, openai_relu, circuit_tracer_skip, llama_scope, goodfire, qwen_scope,
    )
}  # fmt: skip

HOOKS = {
    "saelens_old": "blocks.2.hook_resid_pre",
    "gemma_scope_2": "model.layers.1.pre_feedforward_layernorm.output",
    "gemma_embedding": "hook_embed", "openai_relu": None, "sparsify_groupmax": "layers.1:out",
    "circuit_tracer_skip": "blocks.0.mlp.hook_in", "goodfire": "blocks.19.hook_resid_post",
    "qwen_scope": "blocks.4.hook_resid_post",
}  # fmt: skip
"""writer -> the point that it names, where that is not blocks.1.hook_resid_post"""
