"""What there is on this machine to work with: Python, PyTorch and its devices, and programs."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from queries.doctor.checks import Check

__all__ = ["check_machine"]

OLDEST_TRANSFORMERS = (4, 57)
JAVA = (17, 21)
LIMIT_S = 10.0  # for a program to say its version
GPU = Path("/proc/driver/nvidia/version")
NO_SERVER = "tools/neo4j/run starts no server here, and tests of Neo4j are skipped."


def check_machine() -> list[Check]:
    """Return what there is to say of this machine."""
    return [
        Check("machine", "lib-graph", version("lib-graph")),
        Check("machine", "Python", f"{platform.python_version()}, {os.cpu_count()} processors"),
        *_torch(),
        _transformers(),
        _java(_output("java", "-version")),
        _maven(),
    ]


def _torch() -> list[Check]:
    try:
        from lib_graph.support.devices import devices_here
    except (ImportError, OSError) as error:
        return [Check(
            "machine", "PyTorch", f"{type(error).__name__}: {error}", "wrong",
            "No network can be built; stores can be asked all the same.",
            "pip install --force-reinstall torch",
        )]  # fmt: skip
    devices = devices_here()
    torch = Check("machine", "PyTorch", version("torch"))
    if len(devices) == 1 and GPU.exists():
        return [torch, Check(
            "machine", "devices", f"{devices[0]}, though there is an NVIDIA driver", "lacking",
            "Builds compute on the processor.",
            "Install the PyTorch of this driver's CUDA: nvidia-smi names it",
        )]  # fmt: skip
    return [torch, Check("machine", "devices", ", ".join(devices))]


def _transformers() -> Check:
    wanted = ".".join(map(str, OLDEST_TRANSFORMERS))
    try:
        found = version("transformers")
    except PackageNotFoundError:
        found = ""
    numbers = tuple(int(x) for x in re.findall(r"\d+", found)[:2])
    if numbers >= OLDEST_TRANSFORMERS:
        return Check("machine", "transformers", found)
    return Check(
        "machine", "transformers", f"{found or 'not installed'}; {wanted} is needed", "lacking",
        "Language models in the form of Hugging Face cannot be built.",
        "pip install 'lib-graph[hf]'",
    )  # fmt: skip


def _java(said: str | None) -> Check:
    """Return what there is to say of what `java -version` said (`_output`)."""
    found = re.search(r'version "(\d+)([^"]*)"', said or "")
    versions = " or ".join(map(str, JAVA))
    if found and int(found[1]) in JAVA:
        return Check("machine", "java", found[1] + found[2])
    other = "not installed" if said is None else "java -version does not say which"
    return Check(
        "machine", "java", f"{found[1]}; {versions} is needed" if found else other,
        "lacking", NO_SERVER, f"Install Java {versions}: apt install openjdk-17-jre-headless",
    )  # fmt: skip


def _maven() -> Check:
    if place := shutil.which("mvn"):
        return Check("machine", "mvn", place)
    return Check("machine", "mvn", "not installed", "lacking", NO_SERVER, "apt install maven")


def _output(*command: str) -> str | None:
    """Return what a program prints: None where there is none of that name, '' if it hangs."""
    if shutil.which(command[0]) is None:
        return None
    with suppress(OSError, subprocess.TimeoutExpired):
        return subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            text=True, errors="replace", check=False, timeout=LIMIT_S,
        ).stdout  # fmt: skip
    return ""
