#!/usr/bin/env bash
# The maximum of -5 and a padding of 0 is -5 after the optimiser, and a Reshape's 0 means another axis.
#
# Guess:    what the default passes fuse gives the same numbers and shapes.
# Instead:  a Pad with zeros goes into MaxPool's own padding, which is minus infinity: with negative values
#           the border is another. Of two Reshapes the second is kept alone, but its 0, "as long as this axis
#           was before", then reads the first one's input: (4, 2, 3) comes out as (2, 4, 3).
# Versions: onnxoptimizer 0.4.2, onnxruntime 1.32.0, onnx 1.23.2; onnxsim 0.8.1 beside it is right.
# Who:      networks with padded pooling of values that may be negative; heads split by Reshape with 0.
# Around:   optimize(model, passes) without fuse_pad_into_pool and fuse_consecutive_reshapes; or onnxsim.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    onnxoptimizer==0.4.2 onnxsim==0.8.1 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
venv/bin/python -W ignore - <<'PY'
import sys
from importlib.metadata import version

import numpy
import onnx
import onnxoptimizer
import onnxruntime
import onnxsim
from onnx import TensorProto, helper, numpy_helper


def answers(nodes, x, shape, **constants):
    """Of the model as it is, after onnxoptimizer and after onnxsim."""
    graph = helper.make_graph(
        [helper.make_node(operator, names, [out], **more) for operator, names, out, more in nodes],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(numpy.array(values), name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    copies = [onnx.ModelProto.FromString(model.SerializeToString()) for _ in range(2)]
    models = [model, onnxoptimizer.optimize(copies[0]), onnxsim.simplify(copies[1])[0]]
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return [onnxruntime.InferenceSession(m.SerializeToString(), options).run(None, {"x": x})[0] for m in models]


padded = answers(
    [("Pad", ["x", "pads"], "a", {}), ("MaxPool", ["a"], "y", {"kernel_shape": [2]})],
    numpy.full((1, 1, 3), -5, dtype=numpy.float32),
    [1, 1, 4],
    pads=[0, 0, 1, 0, 0, 1],
)
shaped = answers(
    [("Reshape", ["x", "first"], "a", {}), ("Reshape", ["a", "second"], "y", {})],
    numpy.zeros((2, 3, 4), dtype=numpy.float32),
    [None, None, 3],
    first=[4, 6],
    second=[0, -1, 3],
)
print(*(f"{name} {version(name)}" for name in ("onnxoptimizer", "onnxsim", "onnxruntime", "onnx")))
names = ("as it is", "after onnxoptimizer", "after onnxsim")
for name, pooled, formed in zip(names, padded, shaped):
    print(f"{name:20s} maxima {pooled.ravel().tolist()}, shape {formed.shape}")
if [pooled.ravel().tolist() for pooled in padded] != [[0, -5, -5, 0], [-5] * 4, [0, -5, -5, 0]]:
    sys.exit("The behaviour has changed.")
if [formed.shape for formed in shaped] != [(4, 2, 3), (2, 4, 3), (4, 2, 3)]:
    sys.exit("The behaviour has changed.")
PY
