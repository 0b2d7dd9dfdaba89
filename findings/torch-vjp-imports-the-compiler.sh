#!/usr/bin/env bash
# The first torch.func.vjp of a process imports torch's compiler, though nothing is compiled.
#
# Guess:    eager derivatives need no compiler: vjp of a linear layer costs what backward() costs.
# Instead:  the first vjp imports torch._dynamo, torch._inductor, sympy and triton, some 900 modules
#           and 1.5 CPU seconds; so does the first jvp through addmm (nn.Linear with a bias), while
#           jvp of a product or of a norm imports none of them. backward() never does.
# Versions: torch 2.15.0.
# Who:      short processes that take one Jacobian: command lines, tests, workers that are started
#           for each job. Of a build of three small layers it is a third of the time.
# Around:   torch.autograd.grad where reverse mode will do; else start one process for many jobs.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
cat >see.py <<'PY'
import sys
import time

import torch

COMPILER = {"torch._dynamo", "torch._inductor", "sympy", "triton"}
layer, x = torch.nn.Linear(8, 16), torch.randn(4, 8)
steps = {
    "backward": lambda: layer(x).sum().backward(),
    "vjp": lambda: torch.func.vjp(layer, x)[1](torch.ones(4, 16)),
    "jvp of a product": lambda: torch.func.jvp(lambda x: x @ layer.weight.T, (x,), (x,)),
    "jvp of the layer": lambda: torch.func.jvp(layer, (x,), (x,)),
}
before, start = len(sys.modules), time.process_time()
steps[sys.argv[1]]()
loaded, seconds = COMPILER & set(sys.modules), time.process_time() - start
more = len(sys.modules) - before
print(f"{sys.argv[1]}: {more} modules, {seconds:.2f} CPU s, {sorted(loaded) or 'no compiler'}")
sys.exit(len(loaded))
PY
venv/bin/python -c 'import torch; print("torch", torch.__version__)'
seen=
for step in backward vjp "jvp of a product" "jvp of the layer"; do
    code=0
    venv/bin/python -W ignore see.py "$step" || code=$?
    seen+="$code "
done
if [ "$seen" != "0 4 0 4 " ]; then
    echo "The behaviour has changed." >&2
    exit 1
fi
