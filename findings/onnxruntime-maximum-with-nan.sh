#!/usr/bin/env bash
# The maximum of 0, NaN, 2, 3 is 2: neither NaN nor the greatest number.
#
# Guess:    a maximum with a NaN is NaN, as in torch, numpy, onnx's own reference and this runtime's Max,
#           Relu and TopK; or the NaN is passed over, and it is 3.
# Instead:  ReduceMax also loses the number that is compared with the NaN at the same moment, so that what
#           it gives depends on where the NaN stands: first NaN, second 2, third 3, last 2. ArgMax does
#           likewise (of 0 to 7 with a NaN at 4 it is 4, with one at 1 it is 7).
# Versions: onnxruntime 1.32.0 (CPU, with and without its optimisations), onnx 1.23.2.
# Who:      the strongest feature, or the range of an activation, taken in an exported network in which
#           one sample gave NaN.
# Around:   TopK with k = 1; or IsNaN and ReduceSum first.
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


def model(operator, inputs=("x",), **attributes):
    kind = TensorProto.INT64 if operator == "ArgMax" else TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node(operator, list(inputs), ["y"], **attributes)],
        "one",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None]) for name in inputs],
        [helper.make_tensor_value_info("y", kind, None)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def both(model, **inputs):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return [float(run(None, inputs)[0]) for run in (session.run, ReferenceEvaluator(model).run)]


def with_nan(count, place):
    values = numpy.arange(count, dtype=numpy.float32)
    values[place] = numpy.nan
    return values


greatest, place = model("ReduceMax", keepdims=0), model("ArgMax", keepdims=0)
maxima = {at: both(greatest, x=with_nan(4, at)) for at in range(4)}
places = {at: both(place, x=with_nan(8, at)) for at in (1, 4)}
print("onnxruntime", onnxruntime.__version__, "onnx", onnx.__version__)
for at, (runtime, reference) in maxima.items():
    print(f"ReduceMax {with_nan(4, at).tolist()}: onnxruntime {runtime}, onnx's reference {reference}")
for at, (runtime, reference) in places.items():
    print(f"ArgMax of 0 to 7, NaN at {at}: onnxruntime {runtime:.0f}, onnx's reference {reference:.0f}")
if not numpy.isnan([reference for _, reference in maxima.values()]).all() or not numpy.array_equal(
    [runtime for runtime, _ in maxima.values()], [numpy.nan, 2, 3, 2], equal_nan=True
):
    sys.exit("The behaviour has changed.")
if places != {1: [7, 1], 4: [4, 4]}:
    sys.exit("The behaviour has changed.")
PY
