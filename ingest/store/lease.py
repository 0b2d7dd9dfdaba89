"""Who writes an embedded store, without asking to be the one."""

from __future__ import annotations

import fcntl
import re
from pathlib import Path

__all__ = ["writer_of"]


def writer_of(store: Path) -> int | None:
    """Return the id of the process that holds the lease of a store's file, None where nobody does.

    kglite locks `STORE.lock` while it writes and says in `STORE.lock-owner` who it is; where it
    does not say, the id is 0.
    """
    try:
        with store.with_name(f"{store.name}.lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _owner(store.with_name(f"{store.name}.lock-owner"))
    except OSError:
        pass
    return None


def _owner(file: Path) -> int:
    try:
        said = re.search(r"^pid=(\d+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    except (OSError, UnicodeDecodeError):
        said = None
    return int(said[1]) if said else 0
