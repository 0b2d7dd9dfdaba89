#!/usr/bin/env bash
# The forward-mode derivative of torch.scatter_reduce(..., "prod") is zero, and wrong.
#
# Guess:    torch.func.jvp and vjp agree, as for "sum", "mean", "amax" and "amin"; an operation
#           without forward mode says so ("Trying to use forward AD with ... that does not support
#           it"), as index_reduce does.
# Instead:  jvp and jacfwd return zeros. vjp and finite differences agree with each other.
# Versions: torch 2.15.0. Among the float64 samples of PyTorch's own list of test inputs that were
#           tried (up to 200 numbers each), no other operation's two modes differed like this.
# Who:      whoever computes Jacobians forward, column by column (torch.func.jacfwd, jvp), through
#           products over groups.
# Around:   jacrev or vjp; or a sum of logarithms for positive values.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
venv/bin/python -W ignore - <<'PY'
import sys

import torch

groups = torch.tensor([0, 0, 1, 1])
x = torch.tensor([2.0, 3.0, 5.0, 7.0], dtype=torch.float64)
step = 1e-6 * torch.eye(4, dtype=torch.float64)


def reduce(x, how):
    return torch.ones(2, dtype=x.dtype).scatter_reduce(0, groups, x, how)


print("torch", torch.__version__)
agree = {}
for how in ("sum", "mean", "amax", "prod"):
    forward = torch.func.jacfwd(reduce)(x, how)
    reverse = torch.func.jacrev(reduce)(x, how)
    agree[how] = torch.equal(forward, reverse)
    print(f"{how:5s} forward {forward.tolist()}\n      reverse {reverse.tolist()}")
differences = [(reduce(x + s, "prod") - reduce(x - s, "prod")) / 2e-6 for s in step]
print("prod  finite differences", [[round(v, 6) for v in row] for row in torch.stack(differences, 1).tolist()])
if agree != {"sum": True, "mean": True, "amax": True, "prod": False}:
    sys.exit("The behaviour has changed.")
if torch.func.jacfwd(reduce)(x, "prod").any():
    sys.exit("The behaviour has changed.")
PY
