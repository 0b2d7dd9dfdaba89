#!/usr/bin/env bash
# tanh(NaN) is -1 in one engine, exp(NaN) infinite in another, and Relu(NaN) 0 in both.
#
# Guess:    a NaN stays a NaN through everything that is computed one by one, as in onnx's reference, torch and
#           onnxruntime, so that a faulty sample shows at the end of the network.
# Instead:  tract gives Tanh -1, Sigmoid 4.5e-7, Relu 0, HardSigmoid 1; OpenVINO gives Exp infinity, Relu 0,
#           HardSigmoid 1. Erf, Gelu and Sqrt keep it in both.
# Versions: tract 0.23.9, openvino 2026.4.1 (CPU), onnxruntime 1.32.0 beside them, onnx 1.23.2.
# Who:      whoever finds broken samples by NaN in the output: behind one tanh or Relu they look like the rest.
# Around:   check with IsNaN before the first activation.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    tract==0.23.9 openvino==2026.4.1 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
venv/bin/python -W ignore - <<'PY'
import sys
from importlib.metadata import version

import numpy
import onnx
import onnxruntime
import openvino
import tract
from onnx import TensorProto, helper

OPERATORS = ("Tanh", "Sigmoid", "Exp", "Relu", "HardSigmoid", "Erf", "Gelu", "Sqrt")
X = numpy.array([numpy.nan, 0.5], dtype=numpy.float32)


def answers(operator):
    graph = helper.make_graph(
        [helper.make_node(operator, ["x"], ["y"])],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), "one.onnx")
    session = onnxruntime.InferenceSession("one.onnx", providers=["CPUExecutionProvider"])
    compiled = openvino.Core().compile_model("one.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    other = tract.onnx().load("one.onnx").into_model().into_runnable()
    return session.run(None, {"x": X})[0], compiled([X])[0], other.run([X])[0].to_numpy()


print(*(f"{name} {version(name)}" for name in ("tract", "openvino", "onnxruntime", "onnx")))
lost = {"openvino": {}, "tract": {}}
for operator in OPERATORS:
    right, *others = answers(operator)
    print(f"{operator:11s} of NaN: onnxruntime {right[0]:.3g}", end="")
    for name, found in zip(lost, others):
        print(f", {name} {found[0]:.3g}", end="")
        if not numpy.isnan(found[0]):
            lost[name][operator] = float(f"{found[0]:.1e}")
        if not numpy.allclose(found[1], right[1], atol=1e-5):
            sys.exit("\nThe behaviour has changed.")
    print()
    if not numpy.isnan(right[0]):
        sys.exit("The behaviour has changed.")
if lost != {
    "openvino": {"Exp": float("inf"), "Relu": 0, "HardSigmoid": 1},
    "tract": {"Tanh": -1, "Sigmoid": 4.5e-7, "Relu": 0, "HardSigmoid": 1},
}:
    sys.exit("The behaviour has changed.")
PY
