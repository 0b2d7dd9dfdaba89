"""GPT-2, as transformers has it."""

from __future__ import annotations

from typing import Any

from lib_graph.kinds import Attention
from lib_graph.networks.family import Family, bias_heads, heads, matrix, mlp_of_gpt, norm

__all__ = ["GPT2"]


def _attention(model: Any, index: int) -> Attention:
    block = model.transformer.h[index]
    attn, size = block.attn, block.attn.head_dim
    w_q, w_k, w_v = (heads(w, size) for w in matrix(attn.c_attn).chunk(3, 1))
    b_q, b_k, b_v = (bias_heads(b, size) for b in attn.c_attn.bias.chunk(3))
    return Attention(
        w_q, w_k, w_v, matrix(attn.c_proj).unflatten(0, (-1, size)),
        b_q, b_k, b_v, attn.c_proj.bias,
        norm=norm(block.ln_1),
        scale=_scale(model.config, index, size),
    )  # fmt: skip


def _scale(config: Any, index: int, size: int) -> float:
    """Return what the scores of a block's heads are multiplied with."""
    scale: float = size**-0.5 if config.scale_attn_weights else 1.0
    return scale / (index + 1) if config.scale_attn_by_inverse_layer_idx else scale


GPT2 = Family(
    blocks="transformer.h", ln1="ln_1", attn="attn", attn_out="attn.c_proj",
    ln2="ln_2", mlp="mlp", embed="transformer.wte",
    ln_final="transformer.ln_f", unembed="lm_head",
    attention_kind=_attention, mlp_kind=mlp_of_gpt,
)  # fmt: skip
