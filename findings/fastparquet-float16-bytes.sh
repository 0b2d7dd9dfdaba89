#!/usr/bin/env bash
# fastparquet reads a float16 column as Python bytes.
#
# Guess:    float16, a type of the Parquet format and of pandas, comes back as numbers, or the reader
#           refuses it as it refuses unknown encodings (NotImplementedError).
# Instead:  a column of dtype object whose values are bytes of length 2, little-endian, and no
#           warning. pyarrow, polars and DuckDB read the numbers.
# Versions: fastparquet 2026.9.0, pyarrow 26.0.1 (writer), pandas 3.1.1.
# Who:      activations or embeddings kept in half precision, read with pandas.read_parquet where
#           pyarrow is missing or engine="fastparquet" is set.
# Around:   np.frombuffer(b"".join(column), "<f2"), or engine="pyarrow".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    fastparquet==2026.9.0 pyarrow==26.0.1 pandas==3.1.1 numpy==2.4.6
venv/bin/python - <<'PY'
import sys

import fastparquet
import numpy as np
import pandas as pd
import pyarrow

frame = pd.DataFrame({"half": np.array([0.5, -1.0, 2.0], np.float16), "single": np.float32([0.5, -1, 2])})
frame.to_parquet("halves.parquet", engine="pyarrow")
print("fastparquet", fastparquet.__version__, "pyarrow", pyarrow.__version__, "pandas", pd.__version__)
seen = {}
for engine in ("pyarrow", "fastparquet"):
    column = pd.read_parquet("halves.parquet", engine=engine)["half"]
    seen[engine] = column.tolist()
    print(f"{engine:12s} {column.dtype} {seen[engine]}")
back = np.frombuffer(b"".join(seen["fastparquet"]), "<f2").tolist()
print("from the bytes", back)
if seen["pyarrow"] != back or back != [0.5, -1.0, 2.0] or not isinstance(seen["fastparquet"][0], bytes):
    sys.exit("The behaviour has changed.")
PY
