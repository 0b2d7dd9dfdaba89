#!/usr/bin/env bash
# The minimum of 1, NaN, 3, 2 is 1, and by group, with one group, 2.
#
# Guess:    GROUP BY with one group gives what the whole table gives, and a maximum does not depend on what else
#           is asked for.
# Instead:  by group a NaN makes the comparison start anew: min and max are those of what stands behind the last
#           NaN, or NaN where it stands last. Over all rows NaN is the greatest and min is right. From
#           Parquet max(x) alone is 3, by the file's statistics, and NaN beside a sum.
# Versions: datafusion 55.0.0, pyarrow 26.0.1 (writer of the file), duckdb 2.0.1 beside it (1 and NaN always).
# Who:      the strongest or weakest feature by layer, where one strength is NaN.
# Around:   WHERE NOT isnan(x), or min(x) FILTER (WHERE NOT isnan(x)).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check datafusion==55.0.0 pyarrow==26.0.1 duckdb==2.0.1
venv/bin/python -W ignore - <<'PY'
import sys

import datafusion
import duckdb
import pyarrow
import pyarrow.parquet

nan = float("nan")
ORDERS = {"NaN first": [nan, 1.0, 3.0, 2.0], "NaN second": [1.0, nan, 3.0, 2.0], "NaN last": [1.0, 3.0, 2.0, nan]}
ALL = "SELECT min(x) AS low, max(x) AS high FROM {}"
TEXTS = {
    "all rows": ALL,
    "by group": ALL + " GROUP BY g",
    "without": ALL + " WHERE NOT isnan(x) GROUP BY g",
}


def stored(values):
    return pyarrow.table({"g": ["a"] * len(values), "x": values})


def answers(rows):
    context = datafusion.SessionContext()
    context.register_record_batches("t", [rows.to_batches()])
    texts = {name: text.format("t") for name, text in TEXTS.items()}
    found = {name: [str(v[0]) for v in context.sql(text).to_pydict().values()] for name, text in texts.items()}
    beside = duckdb.connect().register("t", rows)
    known = {name: [str(v) for v in beside.sql(text).fetchall()[0]] for name, text in texts.items()}
    return found, known


print("datafusion", datafusion.__version__, "pyarrow", pyarrow.__version__, "duckdb", duckdb.__version__)
seen = {}
for order, values in ORDERS.items():
    found, known = answers(stored(values))
    seen[order] = found["by group"]
    for name in TEXTS:
        print(f"{order:10s} {name}: datafusion {found[name]}  duckdb {known[name]}")
    if found["all rows"] != ["1.0", "nan"] or found["without"] != ["1.0", "3.0"]:
        sys.exit("The behaviour has changed.")
    if known != {"all rows": ["1.0", "nan"], "by group": ["1.0", "nan"], "without": ["1.0", "3.0"]}:
        sys.exit("The behaviour has changed.")

pyarrow.parquet.write_table(stored(ORDERS["NaN second"]), "t.parquet")
context = datafusion.SessionContext()
context.register_parquet("file", "t.parquet")
alone, beside = (
    str(context.sql(f"SELECT max(x) AS high{more} FROM file").to_pydict()["high"][0]) for more in ("", ", sum(x) AS s")
)
print(f"from Parquet: max(x) alone {alone}, beside sum(x) {beside}")
if seen != {"NaN first": ["1.0", "3.0"], "NaN second": ["2.0", "3.0"], "NaN last": ["nan", "nan"]}:
    sys.exit("The behaviour has changed.")
if (alone, beside) != ("3.0", "nan"):
    sys.exit("The behaviour has changed.")
PY
