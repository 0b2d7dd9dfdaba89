#!/usr/bin/env bash
# safetensors.numpy writes a transposed array as if it had not been transposed.
#
# Guess:    save_file({"w": a.T}) and load_file give back a.T, or save_file refuses it, as
#           safetensors.torch does with a tensor that is not contiguous.
# Instead:  the shape of a.T with the bytes of a: every value is there, in the wrong place, and
#           nothing is said. The same holds for Fortran order and for a[:, ::2].
# Versions: safetensors 0.8.0, numpy 2.4.6. 0.7.0 wrote it right.
# Who:      whoever writes weights or bases with numpy: decoder.T, the result of
#           np.linalg.qr(...)[0].T, a matrix loaded from Fortran or MATLAB.
# Around:   np.ascontiguousarray for every array before saving, or safetensors.torch.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

for release in 0.7.0 0.8.0; do
    python3 -m venv "venv-$release"
    "venv-$release/bin/pip" install --quiet --disable-pip-version-check \
        "safetensors==$release" numpy==2.4.6
    "venv-$release/bin/python" - <<'PY'
import sys
from importlib.metadata import version

import numpy as np
from safetensors.numpy import load_file, save_file

release = version("safetensors")
a = np.arange(6, dtype=np.float64).reshape(2, 3)
save_file({"transposed": a.T, "copied": np.ascontiguousarray(a.T)}, "a.safetensors")
back = load_file("a.safetensors")

print("safetensors", release, "numpy", np.__version__)
print("  saved       ", a.T.tolist())
print("  loaded      ", back["transposed"].tolist())
print("  from a copy ", back["copied"].tolist())

right = release == "0.7.0"
if np.array_equal(back["transposed"], a.T) != right or not np.array_equal(back["copied"], a.T):
    sys.exit("The behaviour has changed.")
PY
done
