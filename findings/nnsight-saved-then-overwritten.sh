#!/usr/bin/env bash
# nnsight: the saved output of a layer is not what the trace saw there, if an in-place ReLU follows.
#
# Guess:    module.output.save() keeps the value that the trace has at that point: of a pre-activation
#           as many entries are negative after the trace as in it.
# Instead:  save() keeps the tensor, not its value, and the network goes on writing into it: 16
#           entries are negative in the trace, none afterwards. captum's LayerActivation, asked for
#           the same layer of the same network, gives the value before the ReLU.
# Versions: nnsight 0.8.1, captum 0.9.0, torch 2.15.0.
# Who:      networks with ReLU(inplace=True), as all of torchvision's ResNets, and x += f(x):
#           "pre-activations" that are post-activations, residual streams a block too late.
# Around:   module.output.clone().save(), or inplace = False everywhere before the trace.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    torch==2.15.0 numpy==2.4.6 nnsight==0.8.1 captum==0.9.0
cat >see.py <<'PY'
import sys

import captum
import nnsight
import torch
from captum.attr import LayerActivation

torch.manual_seed(0)
network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(inplace=True)).eval()
x = torch.randn(5, 3)

model = nnsight.NNsight(network)
with model.trace(x):
    inside = (model[0].output < 0).sum().save()
    saved = model[0].output.save()
    copied = model[0].output.clone().save()

seen = {
    "negative in the trace": int(inside),
    "negative in what was saved": int((saved < 0).sum()),
    "negative in a saved clone": int((copied < 0).sum()),
    "negative for captum": int((LayerActivation(network, network[0]).attribute(x) < 0).sum()),
}
print("nnsight", nnsight.__version__, "captum", captum.__version__, "torch", torch.__version__)
for what, number in seen.items():
    print(f"{what}: {number}")
right = int((network[0](x) < 0).sum())
if right == 0 or list(seen.values()) != [right, 0, right, right]:
    sys.exit("The behaviour has changed.")
PY
venv/bin/python -W ignore see.py
