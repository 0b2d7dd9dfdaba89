#!/usr/bin/env bash
# `y *= y` has a wrong derivative in forward mode, without a word; reverse mode refuses it.
#
# Guess:    both modes are right, or both say that a needed value has been overwritten.
# Instead:  jvp and jacfwd take y after the product for y before it: 12 in place of 4 for the square
#           of 2. Likewise mul_ by a view or by y.detach(), pow_, addcmul_, atan2_ and hypot_ of a
#           tensor with itself (div_, add_ and lerp_ are right). jacrev and backward raise.
# Versions: torch 2.15.0.
# Who:      Jacobians, tangents and Hessian-vector products through a network that saves memory, as
#           `h = relu(h); h *= h` does; reverse mode, tried first, would have said so.
# Around:   y = y * y, or y.square_(), y.pow_(2).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
venv/bin/python -W ignore - <<'PY'
import sys

import torch

CASES = {
    "y * y": lambda y: y * y,
    "y.square_()": lambda y: y.square_(),
    "y.add_(y)": lambda y: y.add_(y),
    "y.mul_(y)": lambda y: y.mul_(y),
    "y.mul_(y.view(-1))": lambda y: y.mul_(y.view(-1)),
    "y.pow_(y)": lambda y: y.pow_(y),
    "y.addcmul_(y, y)": lambda y: y.addcmul_(y, y),
    "y.hypot_(y)": lambda y: y.hypot_(y),
}
WRONG = list(CASES)[3:]
at, step = torch.tensor([2.0], dtype=torch.float64), 1e-6
print("torch", torch.__version__)
wrong, refused = [], []
for name, operation in CASES.items():
    f = lambda x: operation(1 * x)  # 1 * x: a tensor of its own, as a layer's output is
    exact = ((f(at + step) - f(at - step)) / (2 * step)).item()
    forward = torch.func.jvp(f, (at,), (torch.ones_like(at),))[1].item()
    if abs(forward - exact) > 1e-6:
        wrong.append(name)
    try:
        reverse = f"{torch.func.jacrev(f)(at).item():.6f}"
    except RuntimeError as error:
        reverse = f"{str(error)[:46]}..."
        refused.append(name)
    print(f"{name:19s} differences {exact:9.6f}, forward {forward:9.6f}, reverse {reverse}")
if wrong != WRONG or refused != WRONG:
    sys.exit("The behaviour has changed.")
PY
