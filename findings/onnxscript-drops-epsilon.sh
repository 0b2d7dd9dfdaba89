#!/usr/bin/env bash
# The optimiser strikes out the + 1e-12 of a norm, and a row without spread becomes NaN in place of 0.
#
# Guess:    it strikes out + 0 and * 1, which change nothing; an epsilon is there for the case where all else is 0.
# Instead:  every constant up to 1e-8 counts as 0, and every one within 1e-5 of 1 as 1, in float32 and in double:
#           x + 1e-8 is x, x * 1.000001 is x, and 1 / sqrt(0 + 1e-12) infinite in place of 1e6. 1e-7 is kept. A
#           LayerNormalization in one node keeps its epsilon.
# Versions: onnxscript 0.7.2 (which torch's ONNX exporter calls), onnxruntime 1.32.0, onnx 1.23.2.
# Who:      networks whose norms are written out, with the 1e-12 of BERT or the 1e-8 of many others.
# Around:   leave the optimiser out, or give the epsilon as an input.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    onnxscript==0.7.2 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
venv/bin/python -W ignore - <<'PY'
import sys
from importlib.metadata import version

import numpy
import onnxruntime
import onnxscript.optimizer
from onnx import TensorProto, helper, numpy_helper

NORM = [
    ("ReduceMean", ["x", "last"], "mean"),
    ("Sub", ["x", "mean"], "off"),
    ("Mul", ["off", "off"], "square"),
    ("ReduceMean", ["square", "last"], "variance"),
    ("Add", ["variance", "c"], "guarded"),
    ("Sqrt", ["guarded"], "deviation"),
    ("Div", ["off", "deviation"], "y"),
]


def before_and_after(nodes, x, constant):
    constants = {"c": numpy.array(constant, dtype=numpy.float32), "last": numpy.array([-1])}
    graph = helper.make_graph(
        [helper.make_node(operator, names, [out]) for operator, names, out in nodes],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [len(x)])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    given = {"x": numpy.array(x, dtype=numpy.float32)}
    models = [model.SerializeToString(), onnxscript.optimizer.optimize(model).SerializeToString()]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return [onnxruntime.InferenceSession(m, options).run(None, given)[0].tolist() for m in models]


CASES = {
    "norm, epsilon 1e-5": (NORM, [1, 1, 1], 1e-5),
    "norm, epsilon 1e-12": (NORM, [1, 1, 1], 1e-12),
    "0 + 1e-7": ([("Add", ["x", "c"], "y")], [0], 1e-7),
    "0 + 1e-8": ([("Add", ["x", "c"], "y")], [0], 1e-8),
    "1 * 1.000001": ([("Mul", ["x", "c"], "y")], [1], 1.000001),
}
print(*(f"{name} {version(name)}" for name in ("onnxscript", "onnxruntime", "onnx")))
seen = {name: before_and_after(*case) for name, case in CASES.items()}
for name, (before, after) in seen.items():
    print(f"{name:20s} before {before}  after {after}")
same = [before == after for before, after in seen.values()]
if same != [True, False, True, False, False] or not numpy.isnan(seen["norm, epsilon 1e-12"][1]).all():
    sys.exit("The behaviour has changed.")
if [after for _, after in list(seen.values())[3:]] != [[0], [1]] or any(seen["norm, epsilon 1e-12"][0]):
    sys.exit("The behaviour has changed.")
PY
