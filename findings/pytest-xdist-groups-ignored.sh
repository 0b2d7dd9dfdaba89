#!/usr/bin/env bash
# With pytest 9.2 xdist's groups are ignored: tests of one group run in several processes.
#
# Guess:    --dist loadgroup sends all tests of an xdist_group to one process, as its help says, or
#           there is a warning.
# Instead:  xdist writes the group into a private field of the test, which pytest 9.2 no longer reads:
#           each test is a group of its own. It still says "scheduling tests via LoadGroupScheduling".
# Versions: pytest-xdist 3.8.0 with pytest 9.2.0; with pytest 9.1.0 groups are kept.
# Who:      suites that share one server, one port, one GPU or a model that takes a minute to load:
#           slower without a word, or two at once where there may be one.
# Around:   pytest < 9.2, or --dist loadfile where a group is a file.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat > test_group.py <<'PY'
import time

import pytest


@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("case", range(12))
def test_case(case, worker_id):
    time.sleep(0.1)
    print("ran in", worker_id)
PY
for version in 9.1.0 9.2.0; do
  python3 -m venv "venv-$version"
  "venv-$version/bin/pip" install --quiet --disable-pip-version-check "pytest==$version" pytest-xdist==3.8.0
  "venv-$version/bin/python" -m pytest -n 2 --dist loadgroup -rP test_group.py > "out-$version"
  grep -h "^ran in" "out-$version" | sort -u | wc -l > "processes-$version"
  echo "pytest $version, pytest-xdist 3.8.0: one group, $(cat "processes-$version") processes"
done
if [ "$(cat processes-9.1.0) $(cat processes-9.2.0)" != "1 2" ]; then
  echo "The behaviour has changed." >&2
  exit 1
fi
