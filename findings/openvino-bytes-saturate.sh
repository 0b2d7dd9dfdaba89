#!/usr/bin/env bash
# In uint8 250 + 10 is 255 and 5 - 10 is 0; in int8 100 * 2 is 127.
#
# Guess:    integers wrap, 4, 251 and -56, as numpy, torch, onnx's reference and onnxruntime have it; in int32
#           they do here too.
# Instead:  8-bit integers stop at their greatest and least value, 32-bit ones wrap.
# Versions: openvino 2026.4.1 (CPU), onnxruntime 1.32.0 beside it, onnx 1.23.2.
# Who:      checksums and hashes of bytes, sums of 8-bit codes; whoever compares a quantised network.
# Around:   cast to int32 before, and Mod 256 behind.
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

KINDS = {"uint8": TensorProto.UINT8, "int8": TensorProto.INT8, "int32": TensorProto.INT32}


def both(operator, kind, *numbers):
    names, inputs = ["a", "b"], [numpy.array([number], dtype=kind) for number in numbers]
    graph = helper.make_graph(
        [helper.make_node(operator, names, ["y"])],
        "one",
        [helper.make_tensor_value_info(name, KINDS[kind], [1]) for name in names],
        [helper.make_tensor_value_info("y", KINDS[kind], [1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.save(model, "one.onnx")
    compiled = openvino.Core().compile_model("one.onnx", "CPU")
    session = onnxruntime.InferenceSession("one.onnx", providers=["CPUExecutionProvider"])
    return int(compiled(inputs)[0][0]), int(session.run(None, dict(zip(names, inputs)))[0][0])


CASES = [
    ("Add", "uint8", 250, 10),
    ("Sub", "uint8", 5, 10),
    ("Mul", "int8", 100, 2),
    ("Add", "int32", 2**31 - 1, 1),
]
seen = [both(*case) for case in CASES]
print("openvino", openvino.__version__, "onnxruntime", onnxruntime.__version__)
for case, (first, second) in zip(CASES, seen):
    print(*case, ": openvino", first, "onnxruntime", second)
if seen != [(255, 4), (0, 251), (127, -56), (-(2**31), -(2**31))]:
    sys.exit("The behaviour has changed.")
PY
