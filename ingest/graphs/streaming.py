"""JSON files of any size, a piece at a time: the values of one object, the items of its lists.

A file is never in memory as a whole, and what a hostile one can cost is bounded: how long an item
is, how deep, how many there are, and how much comes out of a compressed file.
"""

from __future__ import annotations

import codecs
import gzip
import json
import re
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from lib_graph.errors import RunError

__all__ = ["START", "VALUE", "JsonStream", "Part", "first_bytes"]

CHUNK = 1 << 16  # bytes
LONGEST = 1 << 26  # characters of one item, and VALUE for each value in it
DEEPEST = 100  # levels in one item
EXPANDED = 200  # times as long as the compressed file, at most, and 1 MiB
START = 4096  # bytes by which a file is known
GZIP = b"\x1f\x8b"
VALUE = 50  # characters: what a value takes in memory beside its text
SPACE = re.compile(r"[ \t\r\n]*")
NESTING = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


def first_bytes(path: Path) -> bytes:
    """Return the beginning of a file, unpacked if it is packed by gzip.

    Raises RunError if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            start = file.read(START)
        if not start.startswith(GZIP):
            return start
        with gzip.open(path) as file:
            return file.read(START)
    except (OSError, EOFError, zlib.error) as error:
        raise RunError(f"{str(path)!r} cannot be read ({_reason(error)}).") from error


@dataclass(frozen=True, slots=True)
class Part:
    """Some items of a list that follow each other."""

    items: list[Any]
    beyond: int
    """The characters of each item beyond `usual`, summed."""


class JsonStream:
    """The values of the object that a file holds, in the order of the file.

    `entries` yields (key, Part) for each part of the lists that are asked for, of which the first
    has no items, and (key, value) for all else. Whatever is wrong with the file is a RunError with
    its place. `taken` is what the value that was yielded last takes: its characters in the file,
    and `VALUE` for each value in it. Items that are flat objects of less than `usual` characters
    are decoded many at once.
    """

    def __init__(self, path: Path, usual: int) -> None:
        self.taken = 0
        self._path = path
        self._usual = usual
        self._text = ""
        self._at = 0
        self._before = 0  # characters that were read and are gone
        self._length = 0  # of the last value
        self._mixed = -1  # what `_before` was where the items in the text are not all flat
        self._ended = False
        self._chunks: Iterator[str] = iter(())
        self._decode = json.JSONDecoder().raw_decode

    def entries(self, lists: Collection[str]) -> Iterator[tuple[str, Any]]:
        """Yield the entries of the file; raises RunError where it is damaged or out of bounds."""
        with self._path.open("rb") as file:
            self._chunks = self._decoded(file)
            self._expect("{", "an object")
            while not self._next_is("}"):
                key = self._value()
                if not isinstance(key, str):
                    raise self._wrong("a key is no text")
                self._expect(":", "':'")
                if key in lists and self._peek() == "[":
                    yield key, Part([], 0)
                    yield from ((key, part) for part in self._parts())
                else:
                    yield key, self._value()
                if not self._more("}"):
                    break
            if self._peek():
                raise self._wrong("something follows the object")

    def _parts(self) -> Iterator[Part]:
        self._expect("[", "a list")
        while not self._next_is("]"):
            if items := self._flat_items():
                yield Part(items, 0)
            else:
                value = self._value()
                yield Part([value], max(0, self._length - self._usual))
            if not self._more("]"):
                break

    def _flat_items(self) -> list[Any]:
        """Return the items whose ends are read; none unless all are flat and of usual length."""
        end = self._text.rfind("}", self._at) + 1
        if not end or self._mixed == self._before:
            return []
        text = f"[{self._text[self._at : end]}]"
        try:
            items, length = self._decode(text)
        except (ValueError, RecursionError):  # one by one it is found out what is wrong, and where
            items, length = [], 0
        text = text[1 : length - 1]
        parts = text.split("}")
        brackets = text.count("{") + text.count("[") + text.count("]")
        if len(parts) == brackets + 1 == len(items) + 1 and max(map(len, parts)) < self._usual:
            self._at += len(text)
            return list(items)
        self._mixed = self._before
        return []

    def _more(self, end: str) -> bool:
        """Take the comma, or the end, that follows a value; return whether it was a comma."""
        if self._next_is(end):
            return False
        self._expect(",", f"',' or {end!r}")
        if self._peek() == end:
            raise self._wrong("nothing follows a comma")
        return True

    def _value(self) -> Any:
        """Return the value that comes next, however many chunks it takes."""
        self._peek()
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except RecursionError:
                raise self._wrong(f"it is nested more than {DEEPEST} deep") from None
            except ValueError as error:  # of what is no JSON, or too long for a number
                failed: ValueError | None = error
            else:
                failed = None
                if end < len(self._text) or self._ended:
                    self._check_depth(end)
                    self.taken = self._measured(end)
                    self._length = end - self._at
                    self._at = end
                    return value
            if self._ended:
                raise self._wrong(_said(failed)) from failed
            if self._measured(len(self._text)) > LONGEST:
                raise self._wrong(
                    f"an item takes more than {LONGEST >> 20} MiB ({VALUE} characters for each "
                    "value in it), or it is not JSON"
                )
            self._read(max(CHUNK, len(self._text) - self._at))

    def _measured(self, end: int) -> int:
        """Return what the text up to `end` takes: see `taken`."""
        values = sum(self._text.count(mark, self._at, end) for mark in ",[{")
        return end - self._at + VALUE * values

    def _check_depth(self, end: int) -> None:
        depth = 0
        if self._text.count("[", self._at, end) + self._text.count("{", self._at, end) <= DEEPEST:
            return
        for found in NESTING.finditer(self._text, self._at, end):
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found.group(), 0)
            if depth > DEEPEST:
                raise self._wrong(f"it is nested more than {DEEPEST} deep")

    def _peek(self) -> str:
        """Return the next character that is no blank, '' at the end."""
        while True:
            blank = SPACE.match(self._text, self._at)
            assert blank is not None
            self._at = blank.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if self._ended:
                return ""
            self._read(CHUNK)

    def _next_is(self, character: str) -> bool:
        """Take the next character if it is this one."""
        if self._peek() != character:
            return False
        self._at += 1
        return True

    def _expect(self, character: str, what: str) -> None:
        if not self._next_is(character):
            raise self._wrong(f"{what} was to come" if self._peek() else "it ends too early")

    def _read(self, least: int) -> None:
        """Read at least so many characters more, or up to the end; forget those before."""
        parts, length = [self._text[self._at :]], 0
        while length < least:
            chunk = next(self._chunks, None)
            if chunk is None:
                self._ended = True
                break
            parts.append(chunk)
            length += len(chunk)
        self._before += self._at
        self._text, self._at = "".join(parts), 0

    def _decoded(self, file: IO[bytes]) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8-sig")()
        packed = file.read(len(GZIP)) == GZIP
        file.seek(0)
        most = EXPANDED * self._path.stat().st_size + (1 << 20) if packed else None
        source: Any = gzip.GzipFile(fileobj=file) if packed else file
        read = 0
        try:
            while chunk := source.read(CHUNK):
                read += len(chunk)
                if most is not None and read > most:
                    raise RunError(
                        f"{str(self._path)!r} unpacks to more than {EXPANDED} times its length: "
                        "no graph does. It was not read further."
                    )
                yield decoder.decode(chunk)
            yield decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            raise self._wrong("it is not UTF-8") from None
        except (OSError, EOFError, zlib.error) as error:
            raise RunError(
                f"{str(self._path)!r} cannot be read to its end ({_reason(error)})."
            ) from error

    def _wrong(self, reason: str) -> RunError:
        at = self._before + self._at
        return RunError(f"{str(self._path)!r} is damaged JSON at character {at:,}: {reason}.")


def _said(error: ValueError | None) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"it ends too early, or {error.msg[:1].lower()}{error.msg[1:]}"
    return "a number is too long"


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or " ".join(str(error).split())
