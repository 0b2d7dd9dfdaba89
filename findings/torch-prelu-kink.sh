#!/usr/bin/env bash
# At 0 the slope of PReLU is 1 in forward mode and its weight in reverse mode.
#
# Guess:    any number between the two slopes is right at the kink, but PyTorch picks one and stays
#           with it: jvp and vjp are transposes of each other, as for relu, leaky_relu and hardtanh.
# Instead:  torch.func.jacfwd gives 1, torch.func.jacrev gives the weight. leaky_relu, the same
#           function, gives its slope in both.
# Versions: torch 2.15.0. Of 19 other activations, tried at 9 points each, none differs.
# Who:      a network whose pre-activations are exactly 0: padding, a zero input, dead units,
#           one-hot inputs through a layer without bias. <w, J v> and <J' w, v> then differ by the
#           whole derivative, and a self-check of Jacobians fails at those rows alone.
# Around:   torch.where(x > 0, x, weight * x): both modes give the weight.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
venv/bin/python -W ignore - <<'PY'
import sys

import torch
from torch.nn import functional

weight = torch.tensor([0.25], dtype=torch.float64)
slopes = {
    "prelu": lambda x: functional.prelu(x, weight),
    "leaky_relu": lambda x: functional.leaky_relu(x, 0.25),
    "where": lambda x: torch.where(x > 0, x, weight * x),
}
print("torch", torch.__version__)
seen = {}
for name, f in slopes.items():
    for at in (-1.0, 0.0, 1.0):
        x = torch.tensor([at], dtype=torch.float64)
        seen[name, at] = torch.func.jacfwd(f)(x).item(), torch.func.jacrev(f)(x).item()
        print(f"{name:10s} at {at:4}: forward {seen[name, at][0]}, reverse {seen[name, at][1]}")
if seen.pop(("prelu", 0.0)) != (1.0, 0.25):
    sys.exit("The behaviour has changed.")
if any(forward != reverse for forward, reverse in seen.values()):
    sys.exit("The behaviour has changed.")
PY
