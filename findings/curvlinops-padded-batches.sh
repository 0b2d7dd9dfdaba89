#!/usr/bin/env bash
# The Hessian of a mean loss with padded labels depends on how the data is cut into batches.
#
# Guess:    the operators are those of the loss over all of the data: with reduction="mean" and
#           ignore_index (or class weights) the mean over the labels that count, in one batch or three.
# Instead:  each batch's mean is weighted by its number of rows, padded ones too: with labels unevenly
#           padded the Hessian and the Gauss-Newton matrix are those of another loss. With
#           reduction="sum" they are exact in any number of batches.
# Versions: curvlinops-for-pytorch 3.0.1, torch 2.15.0.
# Who:      curvature, influence, effective dimension of language models, whose texts have different
#           lengths and are padded with -100.
# Around:   reduction="sum", and divide by the number of labels that count.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check curvlinops-for-pytorch==3.0.1 torch==2.15.0
venv/bin/python -W ignore - <<'PY'
import sys
from importlib.metadata import version

import torch
from curvlinops import GGNLinearOperator, HessianLinearOperator
from torch.nn import CrossEntropyLoss

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
model = torch.nn.Linear(3, 4)
inputs, labels = torch.randn(12, 3), torch.randint(4, (12,))
padded = labels.where(torch.tensor([1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1]) == 1, torch.tensor(-100))


def batches(targets, size):
    return [(inputs[i : i + size], targets[i : i + size]) for i in range(0, 12, size)]


def difference(operator, targets, reduction):
    """How far the matrix over three batches is from that over one, over its size."""
    one, three = (
        operator(model, CrossEntropyLoss(reduction=reduction), list(model.parameters()), data)
        @ torch.eye(16)
        for data in (batches(targets, 12), batches(targets, 4))
    )
    return float((three - one).norm() / one.norm())


changed = False
for operator in (HessianLinearOperator, GGNLinearOperator):
    for name, targets in (("no padding", labels), ("3 of 12 padded", padded)):
        for reduction in ("mean", "sum"):
            seen = difference(operator, targets, reduction)
            print(f"{operator.__name__}, {name}, {reduction}: three batches differ by {seen:.0e}")
            changed |= (seen > 1e-3) != (targets is padded and reduction == "mean")
print(*(f"{name} {version(name)}" for name in ("curvlinops-for-pytorch", "torch")))
if changed:
    sys.exit("The behaviour has changed.")
PY
