#!/usr/bin/env bash
# A cross-layer transcoder with a skip connection, saved and loaded, has none.
#
# Guess:    to_safetensors and load_clt give back the same transcoder, as they do for one of a
#           single layer, whose W_skip is in its file.
# Instead:  to_safetensors of a CrossLayerTranscoder writes W_enc, W_dec, b_enc, b_dec and
#           thresholds, and no W_skip; load_clt finds none and makes a transcoder without. Nothing
#           is said, and its outputs are other ones.
# Versions: circuit-tracer 0.5.0.
# Who:      whoever converts a cross-layer transcoder with a skip for circuit-tracer, or caches one.
# Around:   keep W_skip in a file of its own, and set it after loading.
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
from circuit_tracer.transcoder.cross_layer_transcoder import CrossLayerTranscoder, load_clt
from safetensors.torch import load_file

plain = {"device": torch.device("cpu"), "dtype": torch.float32, "lazy_decoder": False}
saved = CrossLayerTranscoder(3, 4, 2, skip_connection=True, **plain)
saved.W_skip.data.fill_(1.0)
saved.to_safetensors("clt")
loaded = load_clt("clt", **plain)

print("circuit-tracer", version("circuit-tracer"))
print("  in W_enc_0.safetensors:", sorted(load_file("clt/W_enc_0.safetensors")))
print("  skip before:", tuple(saved.W_skip.shape), " after:", loaded.W_skip)
if loaded.W_skip is not None:
    sys.exit("The behaviour has changed.")
PY
