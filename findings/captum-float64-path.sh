#!/usr/bin/env bash
# captum's integrated gradients of a float64 network are exact to float32 only.
#
# Guess:    Gauss-Legendre with 20 steps integrates a cubic exactly, so in float64 the attributions
#           of f(x) = sum x^3 are x^3 to 1e-15 (they come back as float64).
# Instead:  they are off by 3e-9 of their value: the weights of the steps are rounded to float32 on
#           the way. The same with the attribution's own convergence delta, so a tolerance
#           below 1e-8 never holds, whatever the number of steps.
# Versions: captum 0.9.0, torch 2.15.0.
# Who:      whoever checks integrated gradients against a closed form, or takes small differences.
# Around:   write the sum over steps out; numpy.polynomial.legendre.leggauss has the nodes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check captum==0.9.0 torch==2.15.0 numpy==2.4.6
venv/bin/python -W ignore - <<'PY'
import sys
from importlib.metadata import version

import numpy as np
import torch
from captum.attr import IntegratedGradients


def f(x):
    return (x**3).sum(1)


x = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64)
found, delta = IntegratedGradients(f).attribute(
    x, method="gausslegendre", n_steps=20, return_convergence_delta=True
)
nodes, weights = np.polynomial.legendre.leggauss(20)
path = torch.tensor((nodes + 1) / 2)[:, None] * x
own = x * torch.einsum("s,sd->d", torch.tensor(weights / 2), 3 * path**2)

error = ((found - x**3) / x**3).abs().max().item()
exact = ((own - x**3) / x**3).abs().max().item()
print("captum", version("captum"), "torch", torch.__version__)
print(f"captum:              {found.dtype}, relative error {error:.1e}, delta {delta.item():.1e}")
print(f"sum over its nodes:  {own.dtype}, relative error {exact:.1e}")
if found.dtype != torch.float64 or not 1e-10 < error < 1e-7 or exact > 1e-14:
    sys.exit("The behaviour has changed.")
PY
