"""Runs in a store, without loading the same ones again for every test."""

from __future__ import annotations

import hashlib
from pathlib import Path

import ingest
from ingest.store import GraphStore
from lib_graph.run import Run

_files: dict[str, bytes] = {}  # of embedded stores, by the bytes of the runs in them


def load_once(store: GraphStore, *runs: Run) -> None:
    """Load runs into an empty store. An embedded one becomes a copy of the file of the last time.

    It is the test's own, so that it may write. For tests of what comes after loading.
    """
    if store.capabilities.kind != "embedded":
        for run in runs:
            ingest.load(run, store)
        return
    file = Path(store.name)
    key = _key(runs, file)
    if key in _files:
        file.write_bytes(_files[key])
        return
    for run in runs:
        ingest.load(run, store)
    _files[key] = file.read_bytes()


def _key(runs: tuple[Run, ...], store: Path) -> str:
    """Return a digest of all that the folders of the runs hold; the store may be in one of them."""
    digest = hashlib.sha256()
    for run in runs:
        for file in sorted(run.path.rglob("*")):
            if file.is_file() and not file.name.startswith(store.name):
                digest.update(f"{file.name} {file.stat().st_size}\n".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()
