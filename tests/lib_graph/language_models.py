"""Small random language models of every family, and a tokenizer for them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoModelForCausalLM

from lib_graph.cutting.cuts import cut
from lib_graph.method.network import Network
from lib_graph.networks.language_model import FAMILIES, LanguageModel, kinds, layers

WORDS = ["<s>", "</s>", "a", "b", "c", "d", "e", "f", "g", "h", "?"]
ENDS: dict[str, Any] = {"bos_token_id": 0, "eos_token_id": 1, "vocab_size": len(WORDS)}
CONFIGS = {
    "gpt2": transformers.GPT2Config(n_layer=2, n_embd=16, n_head=2, n_positions=12, **ENDS),
    "gpt_neo": transformers.GPTNeoConfig(
        num_layers=2, attention_types=[[["global", "local"], 1]], hidden_size=16, num_heads=2,
        window_size=3, max_position_embeddings=12, **ENDS,
    ),
    "llama": transformers.LlamaConfig(
        num_hidden_layers=2, hidden_size=16, intermediate_size=20, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=12, rms_norm_eps=1e-3,
        tie_word_embeddings=True, **ENDS,
    ),
    "llama with biases": transformers.LlamaConfig(
        num_hidden_layers=1, hidden_size=16, intermediate_size=20, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=12, attention_bias=True, mlp_bias=True,
        hidden_act="gelu", rope_scaling={"rope_type": "linear", "factor": 2.0}, rope_theta=100.0,
        **ENDS,
    ),
}  # fmt: skip
SIZES: dict[str, Any] = {
    "num_hidden_layers": 2, "hidden_size": 16, "intermediate_size": 20, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 12, **ENDS,
}  # fmt: skip
LIKE_LLAMA = {
    "mistral": transformers.MistralConfig(sliding_window=3, **SIZES),
    "mistral without a window": transformers.MistralConfig(sliding_window=None, **SIZES),
    "qwen2": transformers.Qwen2Config(**SIZES),
    "qwen2 with a window in its last block": transformers.Qwen2Config(
        use_sliding_window=True, sliding_window=3, max_window_layers=1, **SIZES
    ),
}


def random_model(name: str) -> Any:
    """A model with all parameters random, biases and norms too, in float32 as files have them."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = AutoModelForCausalLM.from_config((CONFIGS | LIKE_LLAMA)[name])
        for parameter in model.parameters():
            parameter.data += torch.randn(parameter.shape) * 0.3
    return model.eval().requires_grad_(False)


def tokens(rows: int = 4, context: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randint(2, len(WORDS), (rows, context), generator=generator)


@cache
def network(name: str, granularity: str = "block") -> tuple[LanguageModel, Network]:
    module = LanguageModel(random_model(name)).double()
    config: Any = module.model.config
    family = FAMILIES[config.model_type]
    found = layers(family, config.num_hidden_layers, granularity)
    return module, cut(module, (tokens(),), found, kinds=kinds(family, module))


def save_tokenizer(folder: Path, *, mark: bool = True) -> None:
    """Save a tokenizer that knows WORDS, with <s> before each document if `mark`."""
    tokenizer = Tokenizer(models.WordLevel(dict(zip(WORDS, range(11), strict=True)), "?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if mark:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 0)]
        )
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="?"
    )
    fast.save_pretrained(folder)


def save_model(folder: Path, name: str = "llama", *, mark: bool = True) -> Path:
    """Save a random model with its tokenizer, as transformers lays out a folder."""
    random_model(name).save_pretrained(folder)
    save_tokenizer(folder, mark=mark)
    return folder
