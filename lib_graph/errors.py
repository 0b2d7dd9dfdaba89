"""What can go wrong, as exceptions; the command line turns each into one line and an exit code.

LibGraphError                exit 1
├── UsageError               exit 2   an argument or option that cannot be used
│   └── NotFoundError        exit 2   a name that is not there, with those that are
├── ModelError               exit 1   a checkpoint, its configuration, weights or activations
│   └── UntraceableError     exit 1   a module whose computation torch.export cannot trace
├── RunError                 exit 1   a run folder with a damaged or missing file
├── StoreError               exit 1   a graph store refused or failed
│   ├── StoreUnavailableError  exit 3   not reachable, locked, wrong password, wrong version
│   │   └── UnknownCommitError   exit 3   the connection broke before a transaction was confirmed
│   └── TransactionTooLargeError  exit 1   more than the server's memory or time for a transaction
└── ConflictError            exit 4   exists already, or does not match what exists

A message says what happened, with the value, and what to do about it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ConflictError",
    "LibGraphError",
    "ModelError",
    "NotFoundError",
    "RunError",
    "StoreError",
    "StoreUnavailableError",
    "TransactionTooLargeError",
    "UnknownCommitError",
    "UntraceableError",
    "UsageError",
]

NEAR = 0.5  # difflib's ratio: what is less alike is not what was meant
NAMED = 5  # of the names that there are, where none is near


class LibGraphError(Exception):
    """The root of all errors that lib-graph raises on purpose."""

    exit_code = 1


class UsageError(LibGraphError):
    """An argument or option that cannot be used."""

    exit_code = 2


class NotFoundError(UsageError):
    """A name that is not there.

    >>> print(NotFoundError("layer", "ln2", ["ln1.0", "ln2.0"], "List them with 'lib-graph runs'."))
    Layer 'ln2' not found. Closest: 'ln2.0'. List them with 'lib-graph runs'.
    >>> print(NotFoundError("layer", "mlp", ["ln1.0", "ln2.0"]))
    Layer 'mlp' not found. There are 'ln1.0', 'ln2.0'.
    """

    def __init__(self, what: str, name: str, known: Iterable[str], advice: str = "") -> None:
        names = list(dict.fromkeys(known))
        close = difflib.get_close_matches(name, names, n=1, cutoff=NEAR)
        if close:
            others = f"Closest: {close[0]!r}."
        elif names:
            more = ", …" if len(names) > NAMED else ""
            others = f"There are {', '.join(map(repr, names[:NAMED]))}{more}."
        else:
            others = f"There is no {what} at all."
        parts = [f"{what[:1].upper()}{what[1:]} {name!r} not found.", others, advice]
        super().__init__(" ".join(parts).strip())


class ModelError(LibGraphError):
    """A checkpoint, its configuration, its weights or its activations cannot be used."""


class UntraceableError(ModelError):
    """A module's computation cannot be traced by torch.export."""


class RunError(LibGraphError):
    """A run folder is incomplete or damaged."""


class StoreError(LibGraphError):
    """A graph store refused a request or failed."""


class StoreUnavailableError(StoreError):
    """A graph store cannot be reached or used: down, locked, wrong password or version."""

    exit_code = 3


class UnknownCommitError(StoreUnavailableError):
    """The connection broke after a commit was sent: it may have happened, or not."""


class TransactionTooLargeError(StoreError):
    """A transaction needs more memory, or time, than the server gives to one."""


class ConflictError(LibGraphError):
    """Something exists already, or does not match what exists."""

    exit_code = 4
