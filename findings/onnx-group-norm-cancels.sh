#!/usr/bin/env bash
# Group normalisation of 10000, 10001, 10002, 10003 gives 474 in place of 1.34.
#
# Guess:    LayerNormalization, InstanceNormalization and GroupNormalization of one group are the same
#           formula, and equally exact: float32 has seven digits, the spread stands in the fifth.
# Instead:  GroupNormalization takes the variance as the mean square less the squared mean, in float32, where
#           nothing of it is left. Activations of mean 1000 and deviation 1 come out 7 % off. onnx's
#           reference does the same, and 1.5e9 in MeanVarianceNormalization, so comparing with it finds
#           nothing; the other norms of onnxruntime are right.
# Versions: onnxruntime 1.32.0, onnx 1.23.2.
# Who:      networks with group normalisation whose channels have a large common part.
# Around:   a reshape and InstanceNormalization or LayerNormalization, with scale and bias behind it.
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

CASES = {
    "LayerNormalization": (["x", "ones"], {"axis": 1}, lambda n: ([1, n], [n])),
    "InstanceNormalization": (["x", "ones", "zeros"], {}, lambda n: ([1, 1, n], [1])),
    "GroupNormalization": (["x", "ones", "zeros"], {"num_groups": 1}, lambda n: ([1, n, 1], [n])),
    "MeanVarianceNormalization": (["x"], {"axes": [0, 2, 3]}, lambda n: ([1, 1, 1, n], [])),
}


def normalized(operator, values):
    """What onnxruntime and onnx's reference give."""
    names, attributes, shapes = CASES[operator]
    shape, width = shapes(len(values))
    inputs = {"x": values.reshape(shape)}
    inputs |= {name: numpy.full(width, name == "ones", dtype=numpy.float32) for name in names[1:]}
    graph = helper.make_graph(
        [helper.make_node(operator, names, ["y"], **attributes)],
        "norm",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape) for name, array in inputs.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return [run(None, inputs)[0].ravel() for run in (session.run, ReferenceEvaluator(model).run)]


print("onnxruntime", onnxruntime.__version__, "onnx", onnx.__version__)
steps = numpy.arange(10000, 10004, dtype=numpy.float32)
seen = {operator: normalized(operator, steps) for operator in CASES}
for operator, (runtime, reference) in seen.items():
    print(f"{operator:26s} onnxruntime {runtime[3]:.4g}  reference {reference[3]:.4g}")
errors = {}
for mean in (100, 1000):
    drawn = numpy.random.default_rng(0).normal(mean, 1, 256).astype(numpy.float32)
    known = (drawn - drawn.astype(float).mean()) / numpy.sqrt(drawn.astype(float).var() + 1e-5)
    for operator in ("LayerNormalization", "GroupNormalization"):
        errors[operator, mean] = abs(normalized(operator, drawn)[0] - known).max() / abs(known).max()
        print(f"mean {mean}, deviation 1: {operator} is off by {errors[operator, mean]:.1e}")
if (
    [round(float(runtime[3]), 1) for runtime, _ in seen.values()] != [1.3, 1.3, 474.3, 1.3]
    or [round(float(reference[3]), 1) for _, reference in seen.values()] != [1.3, 1.3, 474.3, 1.5e9]
    or not errors["GroupNormalization", 1000] > 1e-2 > errors["GroupNormalization", 100] > 1e-4
    or errors["LayerNormalization", 1000] > 1e-5
):
    sys.exit("The behaviour has changed.")
PY
