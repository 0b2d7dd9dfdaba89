"""Llama and the models built like it, Mistral and Qwen2, as transformers has them."""

from __future__ import annotations

from typing import Any

import torch

from lib_graph.kinds import Attention, GatedMLP, Rotary
from lib_graph.networks.family import ACTIVATIONS, Family, bias_heads, heads, matrix, norm

__all__ = ["LLAMA"]


def _attention(model: Any, index: int) -> Attention | None:
    """Return the attention of a block, or None where rotation depends on the text's length."""
    if model.model.rotary_emb.rope_type in ("dynamic", "longrope"):
        return None
    block = model.model.layers[index]
    attn = block.self_attn
    size, into = attn.head_dim, (attn.q_proj, attn.k_proj, attn.v_proj)
    w_q, w_k, w_v = (heads(matrix(m), size) for m in into)
    b_q, b_k, b_v = (bias_heads(m.bias, size) for m in into)
    return Attention(
        w_q, w_k, w_v, matrix(attn.o_proj).unflatten(0, (-1, size)),
        b_q, b_k, b_v, attn.o_proj.bias,
        norm=norm(block.input_layernorm),
        positions=_rotary(model, attn.q_proj.weight, size),
        scale=attn.scaling,
        window=getattr(attn, "sliding_window", getattr(model.config, "sliding_window", None)),
    )  # fmt: skip


def _rotary(model: Any, like: torch.Tensor, size: int) -> Rotary:
    """Return the model's own tables, rounded as it rounds them."""
    places = torch.arange(model.config.max_position_embeddings, device=like.device)[None]
    cos, sin = model.model.rotary_emb(like, places)
    return Rotary(cos[0, :, : size // 2], sin[0, :, : size // 2])


def _mlp(model: Any, index: int) -> GatedMLP | None:
    block = model.model.layers[index]
    gate, up, down = block.mlp.gate_proj, block.mlp.up_proj, block.mlp.down_proj
    activation = ACTIVATIONS.get(model.config.hidden_act)
    if activation is None:
        return None
    return GatedMLP(
        matrix(gate), matrix(up), matrix(down), activation,
        norm(block.post_attention_layernorm), gate.bias, up.bias, down.bias,
    )  # fmt: skip


LLAMA = Family(
    blocks="model.layers", ln1="input_layernorm", attn="self_attn",
    attn_out="self_attn.o_proj", ln2="post_attention_layernorm", mlp="mlp",
    embed="model.embed_tokens",
    ln_final="model.norm", unembed="lm_head",
    attention_kind=_attention, mlp_kind=_mlp,
)  # fmt: skip
