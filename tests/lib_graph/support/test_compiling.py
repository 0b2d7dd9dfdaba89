"""A process that compiles nothing takes derivatives of both modes without torch's compiler."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys, torch
from lib_graph.method.forward import derivative, pulled_back
from lib_graph.support.compiling import never_compile
from lib_graph.support.memory import peak_bytes

never_compile()
f, x, one = lambda x: (x * 2 + 1) / 4 - 1, torch.tensor(3.0), torch.tensor(1.0)
print(float(derivative(f, (x,), (one,))), float(pulled_back(f, x, one)))
print(peak_bytes(lambda: x + 1), "torch._dynamo" in sys.modules)
"""


@pytest.mark.slow
def test_derivatives_and_watching_load_no_compiler():
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True
    )
    assert told.stdout.split() == ["0.5", "0.5", "4", "False"]
