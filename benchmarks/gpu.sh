#!/usr/bin/env bash
# What the targets for one GPU are about, in under six minutes: tests, then builds in cold processes.
# LIB_GRAPH_TEST_DATA names the reference data; build/smollm2 is what `python -m benchmarks smollm2`
# fetched, and is left out where it is missing. On a card it has not been run since it was written.
# `DEVICE=cpu benchmarks/gpu.sh modular-addition` tries the script itself where there is none.
set -u
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
device=${DEVICE:-cuda}
cases=(modular-addition stories260k gpt2 gpt2-uncut)
[ -e build/smollm2/model/model.safetensors ] && cases+=(smollm2)
[ $# -gt 0 ] && cases=("$@")
case $device in cuda*) nvidia-smi --query-gpu=name,memory.total --format=csv,noheader ;; esac
timeout 50 "$python" -m pytest -q -x -m cuda tests/lib_graph/building/test_cuda.py -k "modular or llama or tf32"
measure() {
    seconds=40
    [ "$1" = gpt2-uncut ] && seconds=60
    timeout $seconds "$python" -m benchmarks.gpu "$@" --device "$device" ||
        echo "$*: over $seconds s, or failed"
}
for each in "${cases[@]}"; do
    measure "$each"
done
case $device in cuda*) measure gpt2 --tf32 ;; esac  # of a card alone
