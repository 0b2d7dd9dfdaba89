#!/usr/bin/env bash
# Of the 64-bit integers 2^40 + 1 and 5, picked by their place, the first is 1.
#
# Guess:    picking or adding 64-bit integers keeps all bits: the model declares int64 in and out, and gets it.
#           A double that cannot be computed in double is refused.
# Instead:  both are 32 bits wide inside, and nothing says so: the results are int64 and float64 again. An
#           identifier of 2^40 + 1 becomes 1, 2^31 becomes -2^31, the sum of 1e8, 1, -1e8 is 0, also with
#           EXECUTION_MODE_HINT of ACCURACY, and exp(100) is the greatest float32.
# Versions: openvino 2026.4.1 (CPU), onnxruntime 1.32.0 beside it, onnx 1.23.2.
# Who:      identifiers, hashes, or positions in long texts carried through an exported network.
# Around:   carry two 32-bit halves.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    openvino==2026.4.1 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
venv/bin/python -W ignore - <<'PY'
import sys

import numpy
import onnx
import onnxruntime
import openvino
from onnx import TensorProto, helper

KINDS = {"int64": TensorProto.INT64, "float64": TensorProto.DOUBLE}
WHOLE = numpy.array([2**40 + 1, 5])


def both(operator, *inputs, **attributes):
    names = [f"input{place}" for place in range(len(inputs))]
    graph = helper.make_graph(
        [helper.make_node(operator, names, ["y"], **attributes)],
        "one",
        [helper.make_tensor_value_info(n, KINDS[i.dtype.name], i.shape) for n, i in zip(names, inputs)],
        [helper.make_tensor_value_info("y", KINDS[inputs[0].dtype.name], None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.save(model, "one.onnx")
    compiled = openvino.Core().compile_model("one.onnx", "CPU", {"EXECUTION_MODE_HINT": "ACCURACY"})
    session = onnxruntime.InferenceSession("one.onnx", providers=["CPUExecutionProvider"])
    return compiled(list(inputs))[0], session.run(None, dict(zip(names, inputs)))[0]


seen = {
    "Gather": both("Gather", WHOLE, numpy.array([0, 1])),
    "Add": both("Add", numpy.array([2**31 - 1]), numpy.array([1])),
    "ReduceSum": both("ReduceSum", numpy.array([1e8, 1, -1e8]), keepdims=0),
    "Exp": both("Exp", numpy.array([100.0])),
}
print("openvino", openvino.__version__, "onnxruntime", onnxruntime.__version__)
for name, (first, second) in seen.items():
    print(f"{name:9s} openvino {first.tolist()} ({first.dtype})  onnxruntime {second.tolist()} ({second.dtype})")
if [first.tolist() for first, _ in list(seen.values())[:3]] != [[1, 5], [-(2**31)], 0]:
    sys.exit("The behaviour has changed.")
if seen["Exp"][0].tolist() != [float(numpy.finfo(numpy.float32).max)]:
    sys.exit("The behaviour has changed.")
if any(first.dtype != second.dtype for first, second in seen.values()):
    sys.exit("The behaviour has changed.")
if [second.tolist() for _, second in list(seen.values())[:3]] != [[2**40 + 1, 5], [2**31], 1]:
    sys.exit("The behaviour has changed.")
PY
