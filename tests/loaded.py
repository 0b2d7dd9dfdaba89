"""Runs in a store, without loading the same ones again for every test."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import ingest
from ingest.store import GraphStore
from ingest.store.columns import INDEX, stamp
from lib_graph.run import Run


@dataclass(frozen=True)
class Loaded:
    """An embedded store: its file, and by their names those in the folder of its columns."""

    file: bytes
    columns: dict[str, bytes]

    @classmethod
    def of(cls, file: Path) -> Loaded:
        return cls(file.read_bytes(), {each.name: each.read_bytes() for each in _beside(file)})

    def copy_to(self, file: Path) -> None:
        """Put the store here; its columns say of which state of the file they are."""
        _columns(file).mkdir(exist_ok=True)
        for old in _beside(file):
            old.unlink()
        file.write_bytes(self.file)
        for name, content in self.columns.items():
            _columns(file).joinpath(name).write_bytes(content)
        index = _columns(file) / INDEX
        index.write_text(json.dumps(json.loads(index.read_text()) | {"stamp": stamp(file)}))


_stores: dict[str, Loaded] = {}  # by the bytes of the runs in them


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
    if key in _stores:
        _stores[key].copy_to(file)
        return
    for run in runs:
        ingest.load(run, store)
    _stores[key] = Loaded.of(file)


def _key(runs: tuple[Run, ...], store: Path) -> str:
    """Return a digest of all that the folders of the runs hold; the store may be in one of them."""
    digest = hashlib.sha256()
    for run in runs:
        for file in sorted(run.path.rglob("*")):
            inner = file.relative_to(run.path)
            if file.is_file() and not inner.parts[0].startswith(store.name):
                digest.update(f"{inner} {file.stat().st_size}\n".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


def _columns(store: Path) -> Path:
    return store.with_name(f"{store.name}.columns")


def _beside(store: Path) -> list[Path]:
    return sorted(_columns(store).iterdir())
