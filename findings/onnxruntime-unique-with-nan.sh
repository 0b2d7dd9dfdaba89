#!/usr/bin/env bash
# Of NaN, 1, 2, 1 the only unique value is NaN, four times.
#
# Guess:    1, 2 and NaN, as numpy, torch and onnx's own reference have it; at worst the NaN stays several.
# Instead:  a NaN is taken for equal to whatever it is compared with. At the front it takes in all numbers,
#           elsewhere a number takes it in: 1, NaN, 2, 1 gives 1 three times and 2. The inverse says so too.
# Versions: onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6.
# Who:      clusters, labels or counts computed inside an exported network.
# Around:   IsNaN and Where first, with a number that does not occur.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
venv/bin/python -W ignore - <<'PY'
import sys

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

KINDS = {"y": TensorProto.FLOAT, "first": TensorProto.INT64, "inverse": TensorProto.INT64, "counts": TensorProto.INT64}
graph = helper.make_graph(
    [helper.make_node("Unique", ["x"], list(KINDS))],
    "unique",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None])],
    [helper.make_tensor_value_info(name, kind, [None]) for name, kind in KINDS.items()],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
reference = ReferenceEvaluator(model)


def counted(run, x):
    values, _, inverse, counts = run(None, {"x": numpy.array(x, dtype=numpy.float32)})
    return list(map(str, values.tolist())), counts.tolist(), inverse.tolist()


print("onnxruntime", onnxruntime.__version__, "onnx", onnx.__version__, "numpy", numpy.__version__)
nan = float("nan")
seen = [(counted(session.run, x), counted(reference.run, x)) for x in ([nan, 1, 2, 1], [1, nan, 2, 1])]
for runtime, known in seen:
    print("onnxruntime: values {} counts {} inverse {}".format(*runtime))
    print("reference:   values {} counts {} inverse {}".format(*known))
if [runtime for runtime, _ in seen] != [
    (["nan"], [4], [0, 0, 0, 0]),
    (["1.0", "2.0"], [3, 1], [0, 0, 1, 0]),
] or any(known[:2] != (["1.0", "2.0", "nan"], [2, 1, 1]) for _, known in seen):
    sys.exit("The behaviour has changed.")
PY
