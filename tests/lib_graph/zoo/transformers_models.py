"""Small random networks of transformers, and what they are in float64 from end to end."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from tests.lib_graph.oracle import Case
from tests.lib_graph.zoo import filled, numbers
from tests.lib_graph.zoo.newer_models import NEWER

ENDS: dict[str, Any] = {
    "vocab_size": 11, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip
SIZES: dict[str, Any] = {
    "num_hidden_layers": 1, "hidden_size": 8, "intermediate_size": 12, "num_attention_heads": 2,
    "max_position_embeddings": 16, **ENDS,
}  # fmt: skip
SHARED = SIZES | {"num_key_value_heads": 1}
GPT = ENDS | {"n_layer": 1, "n_embd": 8, "n_head": 2, "n_positions": 8}
EXPERTS = SHARED | {"num_experts_per_tok": 2}
TWO = {"num_hidden_layers": 2, "head_dim": 4, "sliding_window": 2}


def rope(kind: str, **values: Any) -> dict[str, Any]:
    return SHARED | {"rope_scaling": {"rope_type": kind, "factor": 2.0, **values}}


PARALLEL = ("layers.0:in", "norm:in")
BLOCK = ("layers.0:in", "layers.0.post_attention_layernorm:in", "norm:in")
SANDWICH = (
    "layers.0:in", "layers.0.pre_feedforward_layernorm:in", "layers.1:in", "norm:in",
)  # fmt: skip
GPT_BLOCK = ("h.0:in", "h.0.ln_2:in", "ln_f:in")
ENCODER = ("encoder.layer.0:in", "encoder.layer.0.intermediate:in")

# what of transformers, with which configuration, cut before the output at which points
CAUSAL: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "GPT-2": ("GPT2", GPT, GPT_BLOCK),
    "GPT-Neo": (
        "GPTNeo",
        ENDS | {"num_layers": 1, "attention_types": [[["local"], 1]], "hidden_size": 8,
                "num_heads": 2, "window_size": 2, "max_position_embeddings": 8},
        GPT_BLOCK,
    ),
    "GPT-J": ("GPTJ", GPT | {"rotary_dim": 2}, ("h.0:in", "ln_f:in")),
    "GPT-NeoX": ("GPTNeoX", SIZES | {"rotary_pct": 0.5}, ("layers.0:in", "final_layer_norm:in")),
    "GPT-NeoX in sequence": (
        "GPTNeoX",
        SIZES | {"use_parallel_residual": False},
        ("layers.0:in", "layers.0.post_attention_layernorm:in", "final_layer_norm:in"),
    ),
    "OPT": (
        "OPT",
        ENDS | {"num_hidden_layers": 1, "hidden_size": 8, "ffn_dim": 12, "num_attention_heads": 2,
                "max_position_embeddings": 8, "word_embed_proj_dim": 8},
        ("decoder.layers.0:in", "decoder.final_layer_norm:in"),
    ),
    "Bloom": ("Bloom", ENDS | {"n_layer": 1, "hidden_size": 8, "n_head": 2}, ("h.0:in", "ln_f:in")),
    "Falcon": ("Falcon", SIZES, ("h.0:in", "ln_f:in")),
    "Llama": ("Llama", SHARED, BLOCK),
    "Llama with dynamic positions": ("Llama", rope("dynamic"), BLOCK),
    "Llama with Llama 3's positions": (
        "Llama",
        rope("llama3", low_freq_factor=1.0, high_freq_factor=4.0,
             original_max_position_embeddings=8),
        BLOCK,
    ),
    "Llama with Yarn's positions": (
        "Llama", rope("yarn", original_max_position_embeddings=8), BLOCK,
    ),
    "Mistral": ("Mistral", SHARED | {"sliding_window": 2}, BLOCK),
    "Qwen2": ("Qwen2", SHARED, BLOCK),
    "Qwen3": ("Qwen3", SHARED | {"head_dim": 4}, BLOCK),
    "Gemma": ("Gemma", SHARED | {"head_dim": 4}, BLOCK),
    "Gemma 2": ("Gemma2", SHARED | TWO | {"query_pre_attn_scalar": 4}, SANDWICH),
    "Gemma 3": (
        "Gemma3Text",
        SHARED | TWO | {"layer_types": ["sliding_attention", "full_attention"]},
        SANDWICH,
    ),
    "Phi": ("Phi", SIZES | {"partial_rotary_factor": 0.5}, ("layers.0:in", "final_layernorm:in")),
    "Phi-3": ("Phi3", SHARED, BLOCK),
    "OLMo": ("Olmo", SHARED, BLOCK),
    "OLMo 2": ("Olmo2", SHARED, ("layers.0:in", "layers.0.mlp:in", "norm:in")),
    "Granite": ("Granite", SHARED | {"residual_multiplier": 0.5}, BLOCK),
    "StableLM": ("StableLm", SHARED, BLOCK),
    "Starcoder2": ("Starcoder2", SHARED, BLOCK),
    "Cohere": ("Cohere", SHARED, PARALLEL),
    "Mixtral": ("Mixtral", EXPERTS | {"num_local_experts": 3}, BLOCK),
    "Qwen2 with experts": (
        "Qwen2Moe",
        EXPERTS | {"num_experts": 3, "moe_intermediate_size": 8,
                   "shared_expert_intermediate_size": 8},
        BLOCK,
    ),
    "Gemma 4": (
        "Gemma4Text",
        SHARED | TWO | {"num_hidden_layers": 3, "global_head_dim": 4, "num_kv_shared_layers": 1,
                        "layer_types": ["sliding_attention", "full_attention", "full_attention"],
                        "hidden_size_per_layer_input": 2, "vocab_size_per_layer_input": 11},
        ("layers.1:in+layers.1.given:out+layers.2.given:out",
         "layers.2:in+layers.2.given:out+layers.2.keys:out+layers.2.values:out",
         "norm:in"),
    ),
    "Mamba": (
        "Mamba",
        ENDS | {"num_hidden_layers": 1, "hidden_size": 8, "state_size": 4},
        ("layers.0:in", "norm_f:in"),
    ),
    "Mamba 2": (
        "Mamba2",
        ENDS | {"num_hidden_layers": 1, "hidden_size": 8, "state_size": 4, "num_heads": 4,
                "head_dim": 4, "expand": 2, "n_groups": 1, "chunk_size": 4},
        ("layers.0:in", "norm_f:in"),
    ),
}  # fmt: skip
CAUSAL |= NEWER
SWIN = {"image_size": 8, "patch_size": 2, "num_channels": 2, "embed_dim": 4, "window_size": 2}
OTHERS: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "BERT": ("Bert", SIZES, ENCODER),
    "RoBERTa": ("Roberta", SIZES, ENCODER),
    "DistilBERT": (
        "DistilBert",
        {"vocab_size": 11, "dim": 8, "hidden_dim": 12, "n_layers": 1, "n_heads": 2,
         "max_position_embeddings": 8},
        ("transformer.layer.0:in", "transformer.layer.0.ffn:in"),
    ),
    "ModernBERT": (
        "ModernBert",
        SIZES | {"local_attention": 4, "cls_token_id": 1, "sep_token_id": 2},
        ("layers.0:in", "layers.0.mlp_norm:in", "final_norm:in"),
    ),
    "T5's encoder": (
        "T5",
        ENDS | {"d_model": 8, "d_kv": 4, "d_ff": 12, "num_layers": 1, "num_heads": 2},
        ("encoder.block.0:in", "encoder.final_layer_norm:in"),
    ),
    "ViT": (
        "ViT",
        {"num_hidden_layers": 1, "hidden_size": 8, "intermediate_size": 12, "image_size": 4,
         "num_attention_heads": 2, "patch_size": 2, "num_channels": 2},
        ("layers.0:in", "layers.0.layernorm_after:in", "layernorm:in"),
    ),
    "Swin": (
        "Swin",
        SWIN | {"depths": [1, 1], "num_heads": [1, 2]},
        ("encoder.layers.0:in", "encoder.layers.1:in"),
    ),
    "Swin v2": (
        "Swinv2",
        SWIN | {"depths": [2], "num_heads": [1]},
        ("encoder.layers.0.blocks.0:in", "encoder.layers.0.blocks.1:in"),
    ),
    "ConvNeXt": (
        "ConvNext",
        {"num_channels": 2, "patch_size": 2, "hidden_sizes": [4, 6], "depths": [1, 1],
         "num_stages": 2, "image_size": 4},
        ("encoder.stages.0:in", "encoder.stages.1:in"),
    ),
}  # fmt: skip


class Reading(nn.Module):
    """A model of transformers as a function of one tensor; 0 is padding where it has a mask."""

    def __init__(self, model: Any, result: str, *, given: str = "input_ids", mask: bool) -> None:
        super().__init__()
        self.model, self.result, self.given, self.mask = model, result, given, mask

    def forward(self, x: Tensor) -> Tensor:
        others = {"use_cache": False} if self.result == "logits" else {}
        if self.mask:
            others["attention_mask"] = (x != 0).long()
        found: Tensor = self.model(**{self.given: x}, **others)[self.result]
        return found


class Wide(TorchFunctionMode):
    """Has whatever asks for float32 get float64, while it is `on`."""

    on = True

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not self.on:
            return func(*args, **(kwargs or {}))
        if func is Tensor.float:
            return args[0].double()
        wide = [torch.float64 if x is torch.float32 else x for x in args]
        named = {k: torch.float64 if x is torch.float32 else x for k, x in (kwargs or {}).items()}
        return func(*wide, **named)


class Exact(nn.Module):
    """The same without rounding: norms and softmaxes ask for float32.

    Tables of rotary positions are as the model rounds them.
    """

    def __init__(self, reading: Reading) -> None:
        super().__init__()
        self.model, self._forward = reading.model, reading.forward
        reading.model.config._experts_implementation = "eager"  # others have no float64
        self._wide = Wide()
        for part in reading.model.modules():
            if "Rotary" in type(part).__name__:
                part.register_forward_pre_hook(lambda *_: setattr(self._wide, "on", False))
                part.register_forward_hook(lambda *_: setattr(self._wide, "on", True))

    def forward(self, x: Tensor) -> Tensor:
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        try:
            with self._wide:
                return self._forward(x)
        finally:
            torch.set_default_dtype(before)


def reading(name: str, *, mask: bool = False) -> Reading:
    """Return a network, all its parameters random."""
    kind, values, _ = (CAUSAL | OTHERS)[name]
    config = getattr(transformers, f"{kind}Config")(**values)
    given = "pixel_values" if "image_size" in values else "input_ids"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if name in CAUSAL:
            model = transformers.AutoModelForCausalLM.from_config(config)
        else:
            made = transformers.T5EncoderModel if kind == "T5" else transformers.AutoModel
            model = made(config) if kind == "T5" else made.from_config(config)
    result = "logits" if name in CAUSAL else "last_hidden_state"
    return Reading(_given(filled(model, scale=0.3)), result, given=given, mask=mask).eval()


def _given(model: nn.Module) -> nn.Module:
    """Give blocks submodules to see at what they take beside the stream: inputs of their own, and
    keys and values of earlier blocks.
    """
    for part in model.modules():
        if hasattr(part, "per_layer_input_gate"):
            part.given, part.keys, part.values = nn.Identity(), nn.Identity(), nn.Identity()
            part.register_forward_pre_hook(_seen, with_kwargs=True)
    return model


def _seen(part: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    attention, shared = part.self_attn, kwargs["shared_kv_states"]
    if attention.is_kv_shared_layer:
        pair = zip((part.keys, part.values), shared[attention.layer_type], strict=True)
        shared[attention.layer_type] = tuple(
            at(x.transpose(1, 2).flatten(2)).unflatten(2, (x.shape[1], -1)).transpose(1, 2)
            for at, x in pair
        )
    return (args[0], part.given(args[1])), kwargs


def layers(name: str) -> Mapping[str, str | tuple[str, ...]]:
    """Return the layers of a network: the points of the table, and the output.

    Points with + between are what crosses a layer together.
    """
    points = (CAUSAL | OTHERS)[name][2]
    inside = ""
    if name in CAUSAL:
        model = reading(name).model
        inside = model.base_model_prefix if hasattr(model, model.base_model_prefix) else "model"
    path = f"model.{inside}." if inside else "model."
    crossing = [tuple(path + point for point in each.split("+")) for each in points]
    crossing = [each[0] if len(each) == 1 else each for each in crossing]
    return {f"l{i}": each for i, each in enumerate(crossing)} | {"out": "output"}


def case(name: str, *, mask: bool = False) -> Case:
    """Return a network with data and layers, to be held against the oracle.

    The residual stream is overwritten in place: what goes around a norm is its very input. Not so
    where a layer is crossed by several tensors, which may be views of one.
    """
    make, values = functools.partial(reading, name, mask=mask), (CAUSAL | OTHERS)[name][1]
    return Case(
        make, images(name) if "image_size" in values else tokens(), layers(name),
        exact=lambda: Exact(make()),
        overwritten=not any("+" in points for points in (CAUSAL | OTHERS)[name][2]),
    )  # fmt: skip


def images(name: str) -> Tensor:
    values = OTHERS[name][1]
    return numbers(5, values["num_channels"], values["image_size"], values["image_size"])


def tokens() -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(1, 11, (5, 4), generator=generator)
