"""Small networks of families of 2024 to 2026: state spaces, linear attention, experts.

What of transformers, with which configuration, cut before the output at which points.
"""

from __future__ import annotations

from typing import Any

__all__ = ["NEWER"]

SIZES: dict[str, Any] = {
    "vocab_size": 13, "hidden_size": 16, "num_hidden_layers": 2, "intermediate_size": 12,
    "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "tie_word_embeddings": False,
}  # fmt: skip
HEADS = SIZES | {
    "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 32,
}  # fmt: skip
MAMBA = {
    "mamba_d_state": 4, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_expand": 2,
    "mamba_n_groups": 1, "mamba_chunk_size": 4, "mamba_d_conv": 2,
}  # fmt: skip
LOCAL = {"sliding_window": 2, "layer_types": ["sliding_attention", "full_attention"]}
TWO_OF = {"num_local_experts": 3, "num_experts_per_tok": 2}
BLOCKS = ("layers.0:in", "layers.1:in")

NEWER: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "SmolLM3": ("SmolLM3", HEADS, BLOCKS),
    "OLMo 3": ("Olmo3", HEADS | LOCAL, BLOCKS),
    "LFM2": (
        "Lfm2",
        HEADS | {"conv_L_cache": 2, "block_multiple_of": 1,
                 "layer_types": ["conv", "full_attention"]},
        BLOCKS,
    ),
    "Llama 4": (
        "Llama4Text",
        HEADS | TWO_OF | {"head_dim": 8, "layer_types": ["chunked_attention", "full_attention"],
                          "attention_chunk_size": 2, "interleave_moe_layer_step": 2},
        BLOCKS,
    ),
    "RecurrentGemma": (
        "RecurrentGemma",
        HEADS | {"attention_window_size": 2, "lru_width": 16, "conv1d_width": 2,
                 "block_types": ["recurrent", "attention"]},
        BLOCKS,
    ),
    "RWKV": (
        "Rwkv",
        SIZES | {"context_length": 32, "attention_hidden_size": 16},
        ("blocks.0:in", "blocks.1:in"),
    ),
    "Falcon Mamba": (
        "FalconMamba",
        SIZES | {"state_size": 4, "conv_kernel": 2, "time_step_rank": 4},
        BLOCKS,
    ),
    "Falcon-H1": ("FalconH1", HEADS | MAMBA | {"mamba_d_ssm": 32}, BLOCKS),
    "Nemotron-H": (
        "NemotronH",
        HEADS | {"head_dim": 8, "ssm_state_size": 4,
                 "mamba_num_heads": 4, "mamba_head_dim": 8, "n_groups": 1, "chunk_size": 4,
                 "conv_kernel": 2, "layers_block_type": ["mamba", "attention"]},
        BLOCKS,
    ),
    "GPT-OSS": ("GptOss", HEADS | LOCAL | TWO_OF | {"head_dim": 8}, BLOCKS),
    "Qwen3 with experts": (
        "Qwen3Moe",
        HEADS | {"num_experts": 3, "num_experts_per_tok": 2, "moe_intermediate_size": 8},
        BLOCKS,
    ),
    "Qwen3-Next": (
        "Qwen3Next",
        HEADS | {"head_dim": 8, "num_experts": 3, "num_experts_per_tok": 2,
                 "moe_intermediate_size": 8, "shared_expert_intermediate_size": 8,
                 "linear_num_key_heads": 1, "linear_num_value_heads": 2,
                 "linear_key_head_dim": 8, "linear_value_head_dim": 8,
                 "linear_conv_kernel_dim": 2,
                 "layer_types": ["linear_attention", "full_attention"]},
        BLOCKS,
    ),
    "DeepSeek-V3": (
        "DeepseekV3",
        HEADS | {"num_key_value_heads": 2, "head_dim": 4, "n_routed_experts": 3,
                 "num_experts_per_tok": 2, "moe_intermediate_size": 8, "n_shared_experts": 1,
                 "n_group": 1, "topk_group": 1, "first_k_dense_replace": 1, "kv_lora_rank": 4,
                 "q_lora_rank": 6, "qk_rope_head_dim": 4, "qk_nope_head_dim": 4,
                 "v_head_dim": 4},
        BLOCKS,
    ),
    "Granite 4": (
        "GraniteMoeHybrid",
        HEADS | MAMBA | TWO_OF | {"shared_intermediate_size": 8,
                                  "layer_types": ["mamba", "attention"]},
        BLOCKS,
    ),
    "Jamba": (
        "Jamba",
        HEADS | {"num_experts": 3, "num_experts_per_tok": 2, "mamba_d_state": 4,
                 "mamba_expand": 2, "mamba_dt_rank": 4, "mamba_d_conv": 2,
                 "attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2,
                 "expert_layer_offset": 1, "use_mamba_kernels": False},
        BLOCKS,
    ),
}  # fmt: skip
