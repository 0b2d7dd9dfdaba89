#!/usr/bin/env bash
# The loader of Gemma Scope 2's cross-layer transcoders leaves out the last layer, and fails on it.
#
# Guess:    load_gemma_scope_2_clt({0: file, 1: file, 2: file}) gives a transcoder of three layers.
# Instead:  it reads range(max(paths)), two files of three, and then refuses the decoders, which
#           write to three layers: a size mismatch that names neither file nor layer. A path more,
#           of which nothing is read, and it loads.
# Versions: circuit-tracer 0.5.0.
# Who:      whoever loads gemma-scope-2's clt folders by their paths.
# Around:   name the last file a second time, under the next number.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check circuit-tracer==0.5.0
venv/bin/python - <<'PY'
import sys
from importlib.metadata import version

import torch
from circuit_tracer.transcoder.cross_layer_transcoder import load_gemma_scope_2_clt
from safetensors.torch import save_file

layers, width, features = 3, 2, 4
paths = {i: f"layer_{i}.safetensors" for i in range(layers)}
for path in paths.values():
    parts = {"w_enc": torch.randn(width, features), "b_enc": torch.zeros(features),
             "w_dec": torch.randn(features, layers, width), "b_dec": torch.zeros(width),
             "threshold": torch.zeros(features)}
    save_file(parts, path)


def loaded(paths):
    try:
        found = load_gemma_scope_2_clt(paths, device=torch.device("cpu"), dtype=torch.float32)
        return f"{found.n_layers} layers"
    except RuntimeError as error:
        return " ".join(str(error).split())


print("circuit-tracer", version("circuit-tracer"))
three, four = loaded(paths), loaded({**paths, layers: "there is no such file"})
print("  three paths:", three)
print("  a fourth one:", four)
if "size mismatch for W_dec.0" not in three or four != "3 layers":
    sys.exit("The behaviour has changed.")
PY
