#!/usr/bin/env bash
# A Mixtral's state_dict and the file that save_pretrained writes of it have no expert in common.
#
# Guess:    save_pretrained writes state_dict(): the same names, the same shapes. A reader of
#           model.safetensors can be written from named_parameters().
# Instead:  in transformers 5 all experts of a layer are one tensor in memory
#           (mlp.experts.gate_up_proj, experts x 2 hidden x width), and three matrices an expert in the
#           file (block_sparse_moe.experts.0.w1, w2, w3), under the names of version 4. The router's
#           name differs too. Loading converts back, so a round trip shows nothing.
# Versions: transformers 5.24.0, torch 2.15.0, safetensors 0.8.0.
# Who:      tools that read weights by name without the library, that map a parameter to its place
#           in a checkpoint, or compare a state_dict with a file key by key.
# Around:   read through from_pretrained; or write torch.save(model.state_dict()) for yourself.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    transformers==5.24.0 torch==2.15.0 safetensors==0.8.0 numpy==2.4.6
venv/bin/python -W ignore - <<'PY'
import sys

import torch
import transformers
from safetensors.torch import load_file
from transformers import MixtralConfig, MixtralForCausalLM

transformers.logging.set_verbosity_error()
model = MixtralForCausalLM(
    MixtralConfig(
        vocab_size=32,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        num_local_experts=2,
    )
)
model.save_pretrained("saved")
memory, file = model.state_dict(), load_file("saved/model.safetensors")
again = MixtralForCausalLM.from_pretrained("saved").state_dict()
print("transformers", transformers.__version__)
for where, own, other in (("memory", memory, file), ("file", file, memory)):
    for name in sorted(own.keys() - other.keys()):
        print(f"only in {where}: {name} {tuple(own[name].shape)}")
shared = memory.keys() & file.keys()
same = all(torch.equal(again[name], value) for name, value in memory.items())
print(f"{len(shared)} names in both; a round trip is exact: {same}")
if any("expert" in name for name in shared) or not same:
    sys.exit("The behaviour has changed.")
if not any("experts.gate_up_proj" in name for name in memory) or not any("experts.1.w3" in name for name in file):
    sys.exit("The behaviour has changed.")
PY
