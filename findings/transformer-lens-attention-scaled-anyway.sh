#!/usr/bin/env bash
# A GPT-2 whose attention is not scaled is run with scaled attention.
#
# Guess:    the bridge wraps the model of transformers, so its logits are those of the model, whatever
#           the configuration says, or it refuses what it cannot do (as it refuses a query norm that
#           it does not know).
# Instead:  scale_attn_weights: false is not read: scores are divided by the root of the head's width
#           all the same; another model is explained. The neighbour option
#           scale_attn_by_inverse_layer_idx is read.
# Versions: transformer-lens 4.3.0 (TransformerBridge), transformers 5.24.0, torch 2.15.0.
# Who:      checkpoints trained without the scale; every new model: compare bridge(tokens) with
#           model(tokens) once before believing what is found.
# Around:   fold the scale into the queries' weights and leave the option at its default.
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
SHAPE = {"vocab_size": 40, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 32}
OPTIONS = {
    "default": {},
    "scale_attn_by_inverse_layer_idx": {"scale_attn_by_inverse_layer_idx": True},
    "scale_attn_weights: false": {"scale_attn_weights": False},
}
changed = False
for name, option in OPTIONS.items():
    config = transformers.GPT2Config(**SHAPE, **option)
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    for parameter in model.parameters():
        parameter.data = 0.3 * torch.randn(parameter.shape)
    model.config.architectures = [type(model).__name__]
    with torch.no_grad():
        before = model(tokens).logits
        bridge = TransformerBridge.boot_transformers(
            "words", hf_model=model, tokenizer=tokenizer, device="cpu"
        )
        difference = float((bridge(tokens) - before).abs().max() / before.std())
    print(f"{name}: logits differ by {difference:.0e} of their standard deviation")
    changed |= (difference > 1e-2) != (name == "scale_attn_weights: false")
print(*(f"{name} {version(name)}" for name in ("transformer-lens", "transformers", "torch")))
if changed:
    sys.exit("The behaviour has changed.")
PY
