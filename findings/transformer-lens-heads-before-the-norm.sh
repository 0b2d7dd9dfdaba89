#!/usr/bin/env bash
# Heads, neurons and biases do not add up to the residual stream where a norm follows them.
#
# Guess:    get_full_resid_decomposition gives the parts of the residual stream, whatever the family:
#           summed over components they are resid_post, as they are for GPT-2, Llama and Qwen.
# Instead:  in families that normalise the output of attention and MLP before it is added (Gemma 2 and
#           3, OLMo 2 and 3, EXAONE 4, GLM-4) the parts of the heads are those from before that norm:
#           the sum is off by about the size of the residual stream itself. Nothing warns.
#           decompose_resid (whole layers) is exact in all of them.
# Versions: transformer-lens 4.3.0 (TransformerBridge), transformers 5.24.0, torch 2.15.0.
# Who:      direct logit attribution by head in Gemma 2 or OLMo 2: heads are ranked by numbers that
#           the model never adds up.
# Around:   decompose_resid; for heads multiply by the norm's weight over the cached scale yourself.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  transformer-lens==4.3.0 transformers==5.24.0 torch==2.15.0
venv/bin/python -W ignore - <<'PY'
import logging
import sys
from importlib.metadata import version

import torch
import transformers
from tokenizers import Tokenizer, models
from transformer_lens import TransformerBridge

logging.disable(logging.CRITICAL)
transformers.logging.set_verbosity_error()
torch.manual_seed(0)
words = Tokenizer(models.WordLevel({f"w{i}": i for i in range(40)}, unk_token="w0"))
transformers.PreTrainedTokenizerFast(tokenizer_object=words, unk_token="w0").save_pretrained("words")
tokenizer = transformers.AutoTokenizer.from_pretrained("words")
tokens = torch.randint(1, 40, (2, 10))
LLAMA = {"vocab_size": 40, "hidden_size": 32, "intermediate_size": 24, "num_hidden_layers": 2}
LLAMA |= {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 32}
LLAMA |= {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
FAMILIES = {
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 32, "vocab_size": 40},
    "llama": LLAMA,
    "qwen3": LLAMA | {"head_dim": 8},
    "gemma2": LLAMA | {"head_dim": 8, "sliding_window": 4},
    "olmo2": LLAMA,
}


def errors(family, own):
    """How far layers, and heads, are from adding up to the residual stream, over its size."""
    config = transformers.AutoConfig.for_model(family, **own)
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    for parameter in model.parameters():
        parameter.data = 0.3 * torch.randn(parameter.shape) + 0.5 * (parameter.ndim == 1)
    model.config.architectures = [type(model).__name__]
    bridge = TransformerBridge.boot_transformers(
        "words", hf_model=model, tokenizer=tokenizer, device="cpu"
    )
    with torch.no_grad():
        bridge.enable_compatibility_mode(disable_warnings=True, no_processing=True)
        _, cache = bridge.run_with_cache(tokens)
        residual = cache["blocks.1.hook_resid_post"]
        layers = cache.decompose_resid(return_labels=False).sum(0)
        heads = cache.get_full_resid_decomposition(expand_neurons=False).sum(0)
    return [float((parts - residual).norm() / residual.norm()) for parts in (layers, heads)]


post_norm = {"gemma2", "olmo2"}
changed = False
for family, own in FAMILIES.items():
    by_layer, by_head = errors(family, own)
    print(f"{family}: layers add up to {by_layer:.0e}, heads to {by_head:.0e} of the residual stream")
    changed |= by_layer > 1e-5 or (by_head > 0.1) != (family in post_norm)
print(*(f"{name} {version(name)}" for name in ("transformer-lens", "transformers", "torch")))
if changed:
    sys.exit("The behaviour has changed.")
PY
