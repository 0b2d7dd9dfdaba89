#!/usr/bin/env bash
# Two draws of noise become one and the same, or a constant, when a model is simplified.
#
# Guess:    RandomNormal is no common subexpression and no constant: each node draws anew, at every run.
# Instead:  onnxsim and onnxoptimizer merge two such nodes into one, so that a + noise and b + noise have the
#           same noise. onnxslim draws once, while it simplifies, and writes the numbers into the model: from
#           then on every run has them. onnxscript leaves them alone.
# Versions: onnxsim 0.8.1, onnxoptimizer 0.4.2, onnxslim 0.1.98, onnxscript 0.7.2, onnxruntime 1.32.0.
# Who:      intervals by repeated runs with noise, sampling layers, denoisers: the variance is 0 or twice
#           what it should be.
# Around:   give the noise as an input.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check onnxsim==0.8.1 onnxoptimizer==0.4.2 \
    onnxslim==0.1.98 onnxscript==0.7.2 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
venv/bin/python -W ignore - <<'PY'
import sys
from importlib.metadata import version

import numpy
import onnx
import onnxoptimizer
import onnxruntime
import onnxscript.optimizer
import onnxsim
import onnxslim
from onnx import TensorProto, helper

graph = helper.make_graph(
    [
        helper.make_node("RandomNormal", [], ["n"], shape=[4]),
        helper.make_node("RandomNormal", [], ["m"], shape=[4]),
        helper.make_node("Add", ["x", "n"], ["y"]),
        helper.make_node("Add", ["x", "m"], ["z"]),
    ],
    "noise",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])],
    [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in "yz"],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
TOOLS = {
    "as it is": lambda copy: copy,
    "onnxscript": onnxscript.optimizer.optimize,
    "onnxsim": lambda copy: onnxsim.simplify(copy)[0],
    "onnxoptimizer": onnxoptimizer.optimize,
    "onnxslim": onnxslim.slim,
}


def drawn(tool):
    """Whether the two draws of a run are one, and whether two runs of a session are."""
    changed = tool(onnx.ModelProto.FromString(model.SerializeToString()))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(changed.SerializeToString(), options)
    first, second = (session.run(None, {"x": numpy.zeros(4, dtype=numpy.float32)}) for _ in range(2))
    return numpy.array_equal(first[0], first[1]), numpy.array_equal(first[0], second[0])


packages = ("onnxsim", "onnxoptimizer", "onnxslim", "onnxscript", "onnxruntime", "onnx")
print(*(f"{name} {version(name)}" for name in packages))
seen = {name: drawn(tool) for name, tool in TOOLS.items()}
for name, (draws, runs) in seen.items():
    print(f"{name:14s} two draws of a run are the same: {draws}, two runs: {runs}")
if list(seen.values()) != [(False, False)] * 2 + [(True, False)] * 2 + [(False, True)]:
    sys.exit("The behaviour has changed.")
PY
