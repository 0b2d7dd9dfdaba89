#!/usr/bin/env bash
# `tie_word_embeddings: true` does not tie when the file has two different matrices.
#
# Guess:    the configuration decides: with tie_word_embeddings true the output matrix is the
#           embedding, and an lm_head.weight in the file is ignored (as in transformers 4).
# Instead:  transformers 5 compares the two in the file. If they differ the model is loaded untied,
#           while model.config still says tied; a warning of the logger is all. A reader that goes by
#           config.json and one that goes by transformers get different logits from one folder.
# Versions: transformers 5.24.0, torch 2.15.0, safetensors 0.8.0.
# Who:      readers of checkpoints by hand (logit lens, exporters), and fine-tunes whose output
#           matrix was trained apart under an old config.
# Around:   compare model.lm_head.weight and the embedding after loading; correct the config.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    transformers==5.24.0 torch==2.15.0 safetensors==0.8.0 numpy==2.4.6
venv/bin/python -W ignore - 2>/dev/null <<'PY'
import json
import sys
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
torch.manual_seed(0)
saved = LlamaForCausalLM(LlamaConfig(vocab_size=32, tie_word_embeddings=False, **sizes))
seen = {}
for head in ("different", "equal", "absent"):
    state = saved.state_dict()
    if head == "equal":
        state["lm_head.weight"] = state["model.embed_tokens.weight"].clone()
    saved.save_pretrained(head, state_dict=state)
    if head == "absent":
        from safetensors.torch import load_file, save_file

        tensors = load_file("absent/model.safetensors")
        del tensors["lm_head.weight"]
        save_file(tensors, "absent/model.safetensors", metadata={"format": "pt"})
    path = Path(head, "config.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"tie_word_embeddings": True}))
    model = AutoModelForCausalLM.from_pretrained(head)
    seen[head] = (
        model.config.tie_word_embeddings,
        model.lm_head.weight.data_ptr() == model.model.embed_tokens.weight.data_ptr(),
    )
print("transformers", transformers.__version__)
for head, (config, tied) in seen.items():
    print(f"lm_head in the file: {head:10s} config says tied: {config}, is tied: {tied}")
if seen != {"different": (True, False), "equal": (True, True), "absent": (True, True)}:
    sys.exit("The behaviour has changed.")
PY
