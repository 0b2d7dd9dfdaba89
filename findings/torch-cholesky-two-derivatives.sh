#!/usr/bin/env bash
# torch.linalg.cholesky has three derivatives in one entry: forward, reverse and the real one.
#
# Guess:    only the lower triangle is read, so the derivative in an entry above the diagonal is 0
#           and that in an entry below is what a finite difference gives; in any case
#           <w, J v> = <J' w, v>, since both modes are derivatives of the same function.
# Instead:  for a direction that is not symmetric, forward and reverse mode differ from each other
#           and both from the finite difference; the unread triangle has a derivative in both.
#           Reverse mode is the derivative for symmetric directions, half of it in each triangle;
#           forward mode is neither that nor the difference. The vectors of eigh do the same; for
#           symmetric directions all three agree.
# Versions: torch 2.15.0.
# Who:      Jacobians column by column over all entries of a covariance (jacfwd against jacrev),
#           dot-product tests of an adjoint with random directions, gradcheck on raw matrices.
# Around:   differentiate cholesky((A + A.mT) / 2): forward, reverse and differences agree.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
venv/bin/python -W ignore - <<'PY'
import sys

import torch

a = torch.tensor([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]], dtype=torch.float64)
above, below = torch.zeros_like(a), torch.zeros_like(a)
above[0, 2] = below[2, 0] = 1
cholesky = torch.linalg.cholesky


def three(f, direction):
    """The derivative of the sum of f's entries: forward, reverse, by differences."""
    forward = torch.func.jvp(f, (a,), (direction,))[1].sum()
    (gradient,) = torch.func.vjp(f, a)[1](torch.ones_like(a))
    step = 1e-6 * direction
    difference = (f(a + step) - f(a - step)).sum() / 2e-6
    return [round(v.item(), 6) for v in (forward, (gradient * direction).sum(), difference)]


print("torch", torch.__version__, " forward, reverse, finite difference")
seen = {}
for name, f in (("raw", cholesky), ("symmetrised", lambda a: cholesky((a + a.mT) / 2))):
    for where, direction in (("above", above), ("below", below), ("both", above + below)):
        seen[name, where] = three(f, direction)
        print(f"{name:12s} {where:6s}", *seen[name, where])
equal = [key for key, values in seen.items() if max(values) - min(values) < 1e-5]
differ = [key for key, values in seen.items() if len(set(values)) == 3]
if differ != [("raw", "above"), ("raw", "below")] or len(equal) != 4 or seen["raw", "above"][2]:
    sys.exit("The behaviour has changed.")
PY
