#!/usr/bin/env bash
# A cross-layer transcoder gives back fewer positions than it was given.
#
# Guess:    as many positions as there are inputs; where no feature is active, the decoder's bias.
# Instead:  forward and decode end at the last position at which any feature is active, in whatever
#           layer: of 4 positions 2 come back, without a word. A set of transcoders of each layer
#           gives back all 4.
# Versions: circuit-tracer 0.5.0.
# Who:      whoever compares what a sparse cross-layer transcoder makes of padded texts, or of one
#           position, with the outputs of the MLPs.
# Around:   put the decoder's biases behind, up to the number of inputs.
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
import torch.nn.functional as F
from circuit_tracer.transcoder.cross_layer_transcoder import CrossLayerTranscoder
from circuit_tracer.transcoder.single_layer_transcoder import SingleLayerTranscoder, TranscoderSet

plain = {"device": torch.device("cpu"), "dtype": torch.float32}
across = CrossLayerTranscoder(2, 3, 3, lazy_decoder=False, **plain)
across.W_enc.data[:] = torch.eye(3)
for decoder in across.W_dec:
    decoder.data.fill_(1.0)
each = {i: SingleLayerTranscoder(3, 3, F.relu, i, **plain) for i in range(2)}
beside = TranscoderSet(each, "hook_resid_mid", "hook_mlp_out")

inputs = -torch.ones(2, 4, 3)
inputs[0, 1] = 1.0  # the only position at which features are active
found = across(inputs)
print("circuit-tracer", version("circuit-tracer"))
print("  inputs:", tuple(inputs.shape), " features:", tuple(across.encode(inputs).shape))
print("  across layers:", tuple(found.shape))
print("  layer by layer:", tuple(beside.decode(beside.encode(inputs), inputs).shape))
if found.shape != (2, 2, 3):
    sys.exit("The behaviour has changed.")
PY
