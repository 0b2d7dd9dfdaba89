#!/usr/bin/env bash
# onnx's reference evaluator normalises a float16 layer of 300, -300, 200, 100 to zeros.
#
# Guess:    the reference says what a runtime has to give: LayerNormalization and RMSNormalization take mean
#           and variance in float32 (stash_type = 1, the default, is there for this).
# Instead:  it squares in float16, where 300^2 is infinite, and gives zeros without a warning; onnxruntime is
#           right to three digits. One number above 256 in a row is enough.
# Versions: onnx 1.23.2; onnxruntime 1.32.0 beside it.
# Who:      whoever checks an exported float16 network against the reference: residual streams have such
#           numbers.
# Around:   cast to float32 in the model that is evaluated.
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

KINDS = {"float16": TensorProto.FLOAT16, "float32": TensorProto.FLOAT}


def normalized(operator, kind, row):
    """What onnxruntime and onnx's reference give."""
    names = ["x", "scale"]
    inputs = {"x": numpy.array([row], dtype=kind), "scale": numpy.ones(len(row), dtype=kind)}
    graph = helper.make_graph(
        [helper.make_node(operator, names, ["y"], stash_type=TensorProto.FLOAT)],
        "norm",
        [helper.make_tensor_value_info(name, KINDS[kind], inputs[name].shape) for name in names],
        [helper.make_tensor_value_info("y", KINDS[kind], [1, len(row)])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return [run(None, inputs)[0].ravel().astype(float) for run in (session.run, ReferenceEvaluator(model).run)]


print("onnx", onnx.__version__, "onnxruntime", onnxruntime.__version__)
rows = {"small": [30, -30, 20, 10], "large": [300, -300, 200, 100]}
zeros = []
for operator in ("LayerNormalization", "RMSNormalization"):
    for kind in KINDS:
        for name, row in rows.items():
            runtime, reference = normalized(operator, kind, row)
            print(f"{operator} {kind} {row}: onnxruntime {runtime.round(2)} reference {reference.round(2)}")
            if not reference.any():
                zeros.append((operator, kind, name))
            elif not numpy.allclose(runtime, reference, atol=2e-3):
                sys.exit("The behaviour has changed.")
            if not numpy.allclose(runtime, normalized(operator, "float32", row)[0], atol=2e-3):
                sys.exit("The behaviour has changed.")
if zeros != [(operator, "float16", "large") for operator in ("LayerNormalization", "RMSNormalization")]:
    sys.exit("The behaviour has changed.")
PY
