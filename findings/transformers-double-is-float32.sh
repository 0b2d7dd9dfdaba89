#!/usr/bin/env bash
# A Llama in float64 is a staircase: its finite differences at 1e-8 are off by more than themselves.
#
# Guess:    model.double() computes in float64, parameters, logits and all (they say so); a central
#           difference with step 1e-6 is right to 1e-8, as for GPT-2.
# Instead:  the norm casts to float32 and back, and with attn_implementation="eager" the softmax too
#           (GPT-NeoX: eager alone; with "sdpa" it is exact). The logits are float64 numbers with 7
#           digits, so differences get worse the smaller the step. Autograd's derivative is that of
#           the smooth function; it is the check that fails.
# Versions: transformers 5.24.0, torch 2.15.0.
# Who:      whoever goes to float64 to compare a derivative, a closed form or two implementations.
# Around:   GPT-2; or replace the norm by torch.nn.RMSNorm (exact in float64) and take "sdpa". The
#           rotary table keeps 7 digits, but it is a constant.
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
SIZES = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
SIZES |= {"intermediate_size": 32, "max_position_embeddings": 32, "bos_token_id": 1, "eos_token_id": 2}
tokens = torch.arange(3, 11)[None]


def errors(family, attention, norm=None):
    """How far central differences of the logits are from the derivative, for three steps."""
    config = AutoConfig.for_model(family, **SIZES)
    model = AutoModelForCausalLM.from_config(config, attn_implementation=attention)
    if norm:
        for name, module in list(model.named_modules()):
            if type(module).__name__ == "LlamaRMSNorm":
                model.set_submodule(name, norm(16, eps=config.rms_norm_eps))
    model = model.double().eval()
    torch.manual_seed(0)
    for parameter in model.parameters():
        parameter.data = 0.5 * torch.randn_like(parameter)
    embedded = model.get_input_embeddings()(tokens).detach()
    direction = torch.randn_like(embedded)

    def logits(x):
        return model(inputs_embeds=x).logits

    assert logits(embedded).dtype == torch.float64
    exact = torch.autograd.functional.vjp(logits, embedded, torch.ones(1, 8, 40).double())[1]
    exact = (exact * direction).sum().item()
    found = []
    with torch.no_grad():
        for step in (1e-4, 1e-6, 1e-8):
            moved = logits(embedded + step * direction) - logits(embedded - step * direction)
            found.append(abs(moved.sum().item() / (2 * step) / exact - 1))
    return found


print("transformers", transformers.__version__, "torch", torch.__version__)
print("relative error of a central difference with step      1e-4     1e-6     1e-8")
seen = {}
for family, attention, norm in [
    ("gpt2", "eager", None),
    ("gpt_neox", "sdpa", None),
    ("gpt_neox", "eager", None),
    ("llama", "sdpa", None),
    ("llama", "sdpa", torch.nn.RMSNorm),
]:
    seen[family, attention, norm] = errors(family, attention, norm)
    name = f"{family} {attention} {'torch.nn.RMSNorm' if norm else ''}"
    print(f"{name:50s}", *(f"{value:8.1e}" for value in seen[family, attention, norm]))
smooth = [values[1] < 1e-6 for values in seen.values()]
rough = [values[2] > 1e-3 for values in seen.values()]
if smooth != [True, True, False, False, True] or rough != [False, False, True, True, False]:
    sys.exit("The behaviour has changed.")
PY
