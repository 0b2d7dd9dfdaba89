#!/usr/bin/env bash
# torch.func.linearize forgets tangents that are written through a view; jvp has them.
#
# Guess:    linearize(f, x) gives f(x) and the same derivative as jvp, faster for many tangents.
# Instead:  f(x) is right, but what in-place operations on a view (h[2:] += h[:2], diagonal().copy_)
#           give later factors is missing: the map is linear, plausible and wrong, and nothing is
#           said. In place on a whole tensor it is right.
# Versions: torch 2.15.0.
# Who:      one linearization for many directions: Jacobians row by row, Gauss-Newton products,
#           Arnoldi and Lanczos on networks with residuals, rotary embeddings or caches in place.
# Around:   torch.func.jvp a direction; or torch.cat and diag in place of writing into a part.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
venv/bin/python -W ignore - <<'PY'
import sys

import torch


def part_in_place(x):
    h = x.sin()
    h[2:] += h[:2]
    return h * x


def diagonal(x):
    matrix = torch.zeros(4, 4, dtype=x.dtype)
    matrix.diagonal().copy_(x)
    return matrix @ x


def whole_in_place(x):
    h = x.sin()
    h.add_(x)
    return h * x


def out_of_place(x):
    h = x.sin()
    return torch.cat([h[:2], h[2:] + h[:2]]) * x


x = torch.tensor([1.0, 2.0, -0.5, 0.25], dtype=torch.float64)
t = torch.tensor([0.5, 1.0, 2.0, -1.0], dtype=torch.float64)
step = 1e-6
print("torch", torch.__version__)
changed = False
for f in (part_in_place, diagonal, whole_in_place, out_of_place):
    value, derivative = torch.func.linearize(f, x)
    seen = {
        "differences": (f(x + step * t) - f(x - step * t)) / (2 * step),
        "jvp": torch.func.jvp(f, (x,), (t,))[1],
        "linearize": derivative(t),
    }
    print(f.__name__)
    for name, tangent in seen.items():
        print(f"  {name:13s}", [round(number, 6) for number in tangent.tolist()])
    same = {name: torch.allclose(tangent, seen["differences"]) for name, tangent in seen.items()}
    wrong = f in (part_in_place, diagonal)
    changed |= same != {"differences": True, "jvp": True, "linearize": not wrong}
    changed |= not torch.equal(value, f(x))
if changed:
    sys.exit("The behaviour has changed.")
PY
