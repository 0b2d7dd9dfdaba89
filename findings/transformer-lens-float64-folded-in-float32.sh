#!/usr/bin/env bash
# A bridge in float64 is processed in float32: folding rounds all weights.
#
# Guess:    with dtype=torch.float64 compatibility mode folds and centres in float64: the logits stay
#           the same to 1e-14, as they do without processing.
# Instead:  to 1e-7: each of the processing steps leaves weights that are float32 numbers in float64
#           tensors. parameters().dtype says float64.
# Versions: transformer-lens 4.3.0 (TransformerBridge), transformers 5.24.0, torch 2.15.0.
# Who:      whoever chose float64 to compare with finite differences, or to tell a real difference of
#           1e-6 from noise.
# Around:   no_processing=True, or fold the weights oneself before booting.
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
config = transformers.LlamaConfig(**LLAMA)
model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").double().eval()
for parameter in model.parameters():
    parameter.data = 0.3 * torch.randn(parameter.shape, dtype=torch.float64) + 0.5 * (parameter.ndim == 1)
model.config.architectures = [type(model).__name__]
NOTHING = {"fold_ln": False, "center_writing_weights": False, "center_unembed": False}
NOTHING |= {"fold_value_biases": False}
STEPS = {"no processing": {"no_processing": True}, "fold_ln": NOTHING | {"fold_ln": True}}
STEPS |= {"center_unembed": NOTHING | {"center_unembed": True}}
changed = False
with torch.no_grad():
    before = model(tokens).logits.log_softmax(-1)
    for name, step in STEPS.items():
        own = type(model)(config).double().eval()
        own.load_state_dict(model.state_dict())
        own.config._attn_implementation = "eager"
        own.config.architectures = [type(model).__name__]
        bridge = TransformerBridge.boot_transformers(
            "words", hf_model=own, tokenizer=tokenizer, dtype=torch.float64, device="cpu"
        )
        bridge.enable_compatibility_mode(disable_warnings=True, **step)
        difference = float((bridge(tokens).log_softmax(-1) - before).abs().max())
        kinds = {parameter.dtype for parameter in bridge.parameters()}
        print(f"{name}: log-probabilities differ by {difference:.0e}; parameters {kinds}")
        changed |= (difference < 1e-12) != (name == "no processing") or kinds != {torch.float64}
print(*(f"{name} {version(name)}" for name in ("transformer-lens", "transformers", "torch")))
if changed:
    sys.exit("The behaviour has changed.")
PY
