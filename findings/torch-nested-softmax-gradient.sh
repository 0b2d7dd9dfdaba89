#!/usr/bin/env bash
# Softmax over the ragged dimension of a nested tensor has the right values and a wrong gradient.
#
# Guess:    what a nested (jagged) tensor can do it can derive; what it cannot raises, as its sum's
#           and product's gradients over that dimension do.
# Instead:  softmax(nested, dim=1), over each text's own length, equals the loop over the texts; its
#           gradient is the one over the features instead, even for a text of one token, where softmax
#           is 1 and the gradient 0. Over the last dimension both are right.
# Versions: torch 2.15.0.
# Who:      attention pooling and routing over texts of unequal length; training goes on.
# Around:   pad with -inf and take softmax over the padded tensor.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
venv/bin/python -W ignore - <<'PY'
import sys

import torch

torch.manual_seed(0)
texts = [torch.randn(length, 4, dtype=torch.float64) for length in (2, 5, 1)]
weights = [torch.randn_like(text) for text in texts]
print("torch", torch.__version__)
seen = {}
for dim in (1, -1):
    nested = torch.nested.nested_tensor(texts, layout=torch.jagged, requires_grad=True)
    probabilities = nested.softmax(dim)
    (probabilities.values() * torch.cat(weights)).sum().backward()
    # The way around: the same through padding.
    padded = torch.nested.nested_tensor(texts, layout=torch.jagged, requires_grad=True)
    filled = padded.to_padded_tensor(float("-inf")).softmax(dim)
    sum((filled[k, : len(text)] * weights[k]).sum() for k, text in enumerate(texts)).backward()
    axis = 0 if dim == 1 else -1
    for k, text in enumerate(texts):
        x, step = text.numpy(), 1e-6

        def loss(x):
            exponentials = torch.from_numpy(x).exp()
            return (exponentials / exponentials.sum(axis, keepdim=True) * weights[k]).sum().item()

        differences = torch.zeros_like(text)
        for i in range(text.numel()):
            shift = torch.zeros(text.numel(), dtype=text.dtype)
            shift[i] = step
            shift = shift.reshape(text.shape).numpy()
            differences.view(-1)[i] = (loss(x + shift) - loss(x - shift)) / (2 * step)
        seen[dim, len(text)] = [
            float((found - wanted).abs().max())
            for found, wanted in (
                (probabilities.unbind()[k], text.softmax(axis)),
                (nested.grad.unbind()[k], differences),
                (padded.grad.unbind()[k], differences),
            )
        ]
        value, gradient, around = seen[dim, len(text)]
        print(f"dim {dim:2}, {len(text)} tokens: values off by {value:.0e}, gradient {gradient:.0e}, padded {around:.0e}")
wrong = {key: gradient > 0.1 for key, (_, gradient, _) in seen.items()}
if any(value > 1e-12 or around > 1e-8 for value, _, around in seen.values()):
    sys.exit("The behaviour has changed.")
if wrong != {key: key[0] == 1 for key in seen} or any(g > 1e-8 for key, (_, g, _) in seen.items() if not wrong[key]):
    sys.exit("The behaviour has changed.")
PY
