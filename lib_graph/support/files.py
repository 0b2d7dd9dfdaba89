"""Files that are whole or not there, and hashes of what is in them."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from lib_graph.errors import ConflictError, UsageError

__all__ = [
    "FULL", "check_folder", "check_new", "file_sha256", "json_sha256", "locked", "whole_file",
    "whole_folder", "write_json",
]  # fmt: skip

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a full disk, or a limit on files, says"""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; it becomes `path` if the block succeeds.

    An error or an interruption in the block leaves `path` as it was. Of a link, what it names is
    written. An OSError of the temporary file, or of a full disk, is of `path`: people read the name
    that they gave. Raises UsageError for what is there and no ordinary file, such as a device.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "answer.txt"
    >>> with whole_file(target) as temporary:
    ...     _ = temporary.write_text("42")
    >>> target.read_text()
    '42'
    """
    given, path = path, path.resolve()
    if path.exists() and not path.is_file():
        raise UsageError(
            f"{str(given)!r} is no ordinary file, and would be replaced. Name another."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        unnamed = error.filename is None and error.errno in FULL
        if unnamed or error.filename == str(temporary):
            error.filename, error.filename2 = str(given), None
        raise
    finally:
        temporary.unlink(missing_ok=True)


def check_new(folder: Path) -> None:
    """Raise ConflictError if `folder` is there and is not an empty folder."""
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists():
        raise ConflictError(f"{str(folder)!r} exists and is not empty. Choose another --out.")


def check_folder(folder: Path) -> None:
    """Raise ConflictError if there is a file where `folder` is to be."""
    if folder.exists() and not folder.is_dir():
        raise ConflictError(f"{str(folder)!r} is a file, not a folder. Choose another folder.")


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `folder`; it becomes `folder` if the block succeeds.

    An error or an interruption in the block leaves nothing. Raises ConflictError if there is
    something in `folder` already.
    """
    check_new(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        dir=folder.parent, prefix=f".{folder.name}.", ignore_cleanup_errors=True
    ) as temporary:
        part = Path(temporary) / "part"
        part.mkdir()
        yield part
        os.replace(part, folder)


def _umask() -> int:
    """Return the mask of file modes, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, as hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def json_sha256(value: Any) -> str:
    """Return the SHA-256 of a value's canonical JSON (sorted keys, no spaces).

    >>> json_sha256({"b": 1, "a": 2}) == json_sha256({"a": 2, "b": 1})
    True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder, made if need be, for one process at a time.

    Where what was to be written is refused, and nothing of it is there, nothing stays: neither the
    lock nor a folder that was made for it.

    Raises ConflictError if another process holds it, or if it is a file.
    """
    check_folder(folder)
    made = not folder.exists()
    lock = folder / ".lock"
    with _held(lock):
        try:
            yield
        except BaseException:
            if list(folder.iterdir()) == [lock]:
                lock.unlink()
                if made:
                    with suppress(OSError):  # another process has come to it
                        folder.rmdir()
            raise


def _held(lock: Path) -> IO[str]:
    """Return the file of a lock, open and held.

    Who holds it may remove it, and its folder, in the moment between opening and holding: then
    others would hold another file of that name, and it is tried again.
    """
    while True:
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = lock.open("w")
        except FileNotFoundError:
            if lock.parent.exists():
                raise
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if lock.exists() and os.path.samestat(os.fstat(file.fileno()), lock.stat()):
                return file
        except BlockingIOError as error:
            file.close()
            raise ConflictError(
                f"Another process is writing to {str(lock.parent)!r}. Wait for it, or choose "
                "another folder."
            ) from error
        except FileNotFoundError:  # removed between two looks
            pass
        file.close()
