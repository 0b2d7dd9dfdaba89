#!/usr/bin/env bash
# A convolution times the vector (1, 2) is scaled along the channels where it should be along the positions.
#
# Guess:    a Mul behind a Conv is folded into its weights where the factor goes by channel, (2, 1), and left
#           where it is otherwise, as onnxsim does it.
# Instead:  any factor of as many numbers as there are channels is taken for one by channel, also where
#           broadcasting lays it along the last axis, and where its shape, (1, 1, 2), says so. Nothing else
#           changes: neither shapes nor types.
# Versions: onnxslim 0.1.98, onnxruntime 1.32.0, onnx 1.23.2; onnxsim 0.8.1 beside it.
# Who:      convolutions with as many channels as positions, times a window, a mask or a weight by position.
# Around:   onnxsim; or compare both models on one sample before the smaller one is used.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    onnxslim==0.1.98 onnxsim==0.8.1 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
venv/bin/python -W ignore - <<'PY'
import sys
from importlib.metadata import version

import numpy
import onnx
import onnxruntime
import onnxsim
import onnxslim
from onnx import TensorProto, helper, numpy_helper


def answers(factor):
    """Of the model as it is, after onnxslim and after onnxsim."""
    constants = {"w": numpy.ones((2, 1, 1), dtype=numpy.float32), "c": numpy.array(factor, dtype=numpy.float32)}
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["a"]), helper.make_node("Mul", ["a", "c"], ["y"])],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, 2])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    copies = [onnx.ModelProto.FromString(model.SerializeToString()) for _ in range(2)]
    models = [model, onnxslim.slim(copies[0]), onnxsim.simplify(copies[1])[0]]
    given = {"x": numpy.ones((1, 1, 2), dtype=numpy.float32)}
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return [onnxruntime.InferenceSession(m.SerializeToString(), options).run(None, given)[0][0].tolist() for m in models]


print(*(f"{name} {version(name)}" for name in ("onnxslim", "onnxsim", "onnxruntime", "onnx")))
CASES = {"by position": [1, 2], "by position, all axes": [[[1, 2]]], "by channel": [[1], [2]]}
seen = {name: answers(factor) for name, factor in CASES.items()}
for name, (right, slim, sim) in seen.items():
    print(f"{name:22s} as it is {right}, after onnxslim {slim}, after onnxsim {sim}")
if any(seen[name] != [[[1, 2]] * 2, [[1, 1], [2, 2]], [[1, 2]] * 2] for name in list(CASES)[:2]):
    sys.exit("The behaviour has changed.")
if seen["by channel"] != [[[1, 1], [2, 2]]] * 3:
    sys.exit("The behaviour has changed.")
PY
