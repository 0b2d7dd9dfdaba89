#!/usr/bin/env bash
# In transformers 5 `output[0]` of a decoder layer is the hidden state in some families, and the
# first text of the batch in others.
#
# Guess:    a decoder layer returns a tuple whose first entry is the hidden state, as in every
#           tutorial on hooks: `output[0]` is (batch, position, width). If that has changed, it has
#           changed for all families, and old code fails.
# Instead:  layers of GPT-2, GPT-NeoX, Llama, Qwen and Gemma return the bare tensor, those of
#           GPT-Neo, BLOOM, Falcon and MPT a tuple. A hook that writes `output[0][:] = 0` ablates the
#           whole batch in the one and the first text alone in the other; no error, right shapes.
# Versions: transformers 5.24.0, torch 2.15.0.
# Who:      forward hooks for ablation, steering or caching (PyTorch's own, nnsight's `.output`),
#           ported from transformers 4 or from one family to the next. With one text in a batch the
#           ablation is even right, and the cached state only lacks a dimension.
# Around:   hidden = output if torch.is_tensor(output) else output[0]
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check transformers==5.24.0 torch==2.15.0 numpy==2.4.6
venv/bin/python -W ignore - <<'PY'
import sys

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM

transformers.logging.set_verbosity_error()
COMMON = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
COMMON |= {"intermediate_size": 32, "max_position_embeddings": 32, "bos_token_id": 1, "eos_token_id": 2}
FAMILIES = {
    "gpt2": {},
    "gpt_neox": {},
    "llama": {"num_key_value_heads": 1},
    "qwen3": {"num_key_value_heads": 1, "head_dim": 8},
    "gemma2": {"num_key_value_heads": 1, "head_dim": 8},
    "gpt_neo": {"num_layers": 2, "attention_types": [[["global"], 2]], "num_heads": 2},
    "bloom": {},
    "falcon": {},
    "mpt": {},
}


def texts_changed(family, own):
    """The type of a layer's output, and which of two texts change when output[0] is set to 0."""
    names = [name for name in COMMON if family != "gpt_neo" or not name.startswith("num_")]
    config = AutoConfig.for_model(family, **{name: COMMON[name] for name in names} | own)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    layer = next(m for m in model.modules() if isinstance(m, torch.nn.ModuleList) and len(m) == 2)[0]
    tokens = torch.arange(3, 11).view(2, 4)
    kinds = []

    def ablate(module, args, output):
        kinds.append(type(output).__name__)
        output[0][:] = 0

    with torch.no_grad():
        before = model(tokens).logits
        layer.register_forward_hook(ablate)
        after = model(tokens).logits
    return kinds[0], [not torch.allclose(a, b) for a, b in zip(before, after)]


print("transformers", transformers.__version__, "torch", torch.__version__)
seen = {}
for family, own in FAMILIES.items():
    kind, changed = texts_changed(family, own)
    seen.setdefault((kind, *changed), []).append(family)
    print(f"{family:9s} a layer returns a {kind}; output[0][:] = 0 changes text 1: {changed[0]}, text 2: {changed[1]}")
if seen != {
    ("Tensor", True, False): ["gpt2", "gpt_neox", "llama", "qwen3", "gemma2"],
    ("tuple", True, True): ["gpt_neo", "bloom", "falcon", "mpt"],
}:
    sys.exit("The behaviour has changed.")
PY
