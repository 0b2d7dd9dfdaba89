#!/usr/bin/env bash
# KFAC of a summed loss with padded labels has the wrong scale; of a mean it has the right one.
#
# Guess:    KFAC is exact where it can be (one linear layer, all inputs equal), for reduction="sum" as
#           for "mean", with ignore_index or class weights as without.
# Instead:  with reduction="sum" it is too large by all rows over counted rows (twice, where half are
#           ignored), with class weights by all rows over the sum of their weights; exact for "mean".
# Versions: curvlinops-for-pytorch 3.0.1, torch 2.15.0.
# Who:      influence functions and Laplace approximations of language models with padding: damping
#           and evidence are compared with a curvature of another size.
# Around:   reduction="mean" and multiply by the number of labels that count.
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
from curvlinops import GGNLinearOperator, KFACLinearOperator
from curvlinops.kfac import FisherType
from torch.nn import CrossEntropyLoss

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
model = torch.nn.Linear(3, 4, bias=False)
parameters = list(model.parameters())
inputs = torch.randn(1, 3).expand(12, 3)
labels = torch.arange(12) % 4
LOSSES = {
    "plain": {},
    "half ignored": {"ignore_index": 0, "labels": labels % 3},
    "weights": {"weight": torch.tensor([1.0, 2.0, 3.0, 4.0])},
}
expected = {("plain", "sum"): 1.0, ("half ignored", "sum"): 2.0, ("weights", "sum"): 0.4}
changed = False
for name, options in LOSSES.items():
    options = dict(options)
    targets = options.pop("labels", labels)
    for reduction in ("mean", "sum"):
        arguments = (model, CrossEntropyLoss(reduction=reduction, **options), parameters)
        exact = GGNLinearOperator(*arguments, [(inputs, targets)]) @ torch.eye(12)
        kfac = KFACLinearOperator(*arguments, [(inputs, targets)], fisher_type=FisherType.TYPE2)
        scale = float((kfac @ torch.eye(12)).trace() / exact.trace())
        apart = float((kfac @ torch.eye(12) / scale - exact).norm() / exact.norm())
        print(f"{name}, {reduction}: {scale:.4f} times the exact matrix, else equal to {apart:.0e}")
        changed |= abs(scale - expected.get((name, reduction), 1.0)) > 1e-9 or apart > 1e-9
print(*(f"{name} {version(name)}" for name in ("curvlinops-for-pytorch", "torch")))
if changed:
    sys.exit("The behaviour has changed.")
PY
