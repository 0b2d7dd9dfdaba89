#!/usr/bin/env bash
# Whether a test finds a fixture of its folder's conftest depends on the order of files asked for.
#
# Guess:    files may be named in any order; each test has the fixtures of the conftests above it.
# Instead:  once a file of another folder stands between two of one package, the later one's tests
#           end with "fixture not found", though each file passes by itself and in another order.
# Versions: pytest 9.1.1; 8.2.2 and 9.2.0 find it
# Who:      whoever runs a list of changed files: hooks before a commit, CI that chooses tests.
# Around:   sort the files by folder, or name folders.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir -p tests/store/read tests/store/write
touch tests/{,store/,store/read/,store/write/}__init__.py
cat > tests/store/conftest.py <<'PY'
import pytest


@pytest.fixture
def answer():
    return 42
PY
for name in read write; do
  echo "def test_$name(answer): assert answer == 42" > "tests/store/$name/test_$name.py"
done
echo "def test_docs(): pass" > tests/test_docs.py
between="tests/store/read/test_read.py tests/test_docs.py tests/store/write/test_write.py"
sorted="tests/store/read/test_read.py tests/store/write/test_write.py tests/test_docs.py"
seen=
for version in 8.2.2 9.1.1 9.2.0; do
  python3 -m venv "venv-$version"
  "venv-$version/bin/pip" install --quiet --disable-pip-version-check "pytest==$version"
  for order in "$between" "$sorted"; do
    said=$("venv-$version/bin/python" -m pytest -q -p no:cacheprovider $order | tail -1 || true)
    echo "pytest $version: ${said% in *}"
    seen+="${said% in *};"
  done
done
case "$seen" in
  *"2 passed, 1 error;3 passed;"*) ;;
  *) echo "The behaviour has changed." >&2; exit 1 ;;
esac
