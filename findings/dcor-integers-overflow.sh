#!/usr/bin/env bash
# 300 times in microseconds have a distance correlation of 0 with themselves, and bytes one of 4 million.
#
# Guess:    integers are taken as numbers: 1 for a column with itself, and between 0 and 1 always.
# Instead:  sums of products are added up in the integers' own kind and go over. Times one second apart, in
#           microseconds, come out at 0, which reads as "independent", where there are 300 of them, and at 1
#           where there are 20; bytes at 4 million. The only warning is that it falls back to slower code.
# Versions: dcor 0.7, numpy 2.4.6, numba 0.68.1.
# Who:      time stamps, identifiers, and 8-bit codes of activations, tested for any dependence.
# Around:   x.astype(float).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check dcor==0.7 numpy==2.4.6 numba==0.68.1
venv/bin/python -W ignore - <<'PY'
import sys
from importlib.metadata import version

import numpy
from dcor import distance_correlation

SECONDS = numpy.arange(300)
CODES = numpy.random.default_rng(0).integers(0, 256, 20)
CASES = {
    "seconds, int64": SECONDS,
    "milliseconds, int64": SECONDS * 10**3,
    "microseconds, int64": SECONDS * 10**6,
    "microseconds, float64": SECONDS * 1e6,
    "codes, int64": CODES,
    "codes, uint8": CODES.astype(numpy.uint8),
}
print(*(f"{name} {version(name)}" for name in ("dcor", "numpy", "numba")))
seen = {name: float(distance_correlation(column, column)) for name, column in CASES.items()}
for name, found in seen.items():
    print(f"{name:22s} with itself: {found:.6g}")
right = [name for name, found in seen.items() if abs(found - 1) < 1e-9]
if seen["microseconds, int64"] != 0 or seen["codes, uint8"] < 1e6 or len(right) != 4:
    sys.exit("The behaviour has changed.")
PY
