"""GPT-Neo (the TinyStories models), as transformers has it: every other attention is local."""

from __future__ import annotations

from typing import Any

from lib_graph.kinds import Attention
from lib_graph.networks.family import Family, heads, matrix, mlp_of_gpt, norm

__all__ = ["GPT_NEO"]


def _attention(model: Any, index: int) -> Attention:
    """Return the attention of a block: scores are not scaled, and only the output has a bias."""
    block = model.transformer.h[index]
    attn = block.attn.attention
    size = attn.head_dim
    local = model.config.attention_layers[index] == "local"
    w_q, w_k, w_v = (heads(matrix(m), size) for m in (attn.q_proj, attn.k_proj, attn.v_proj))
    return Attention(
        w_q, w_k, w_v,
        matrix(attn.out_proj).unflatten(0, (-1, size)),
        b_o=attn.out_proj.bias,
        norm=norm(block.ln_1),
        window=model.config.window_size if local else None,
        scale=1.0,
    )  # fmt: skip


GPT_NEO = Family(
    blocks="transformer.h", ln1="ln_1", attn="attn.attention",
    attn_out="attn.attention.out_proj", ln2="ln_2", mlp="mlp", embed="transformer.wte",
    ln_final="transformer.ln_f", unembed="lm_head",
    attention_kind=_attention, mlp_kind=mlp_of_gpt,
)  # fmt: skip
