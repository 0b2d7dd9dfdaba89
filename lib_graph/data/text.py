"""Rows of tokens out of text: what a language model is run on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from jaxtyping import Bool, Int
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from lib_graph.errors import UsageError
from lib_graph.support import defaults

__all__ = ["Text", "TokenRows", "documents", "read_rows"]

SEPARATOR = "<|endoftext|>"
SUFFIXES = (".txt", ".jsonl", ".parquet", ".safetensors")


@dataclass(frozen=True)
class Text:
    """Which text a language model is run on, and how much of it.

    `file` is a .txt (one document, or several with <|endoftext|> between), .jsonl or .parquet with
    a column `text`, or .safetensors with a tensor `tokens` (rows × context) and, if not all of them
    count, `counted`. `context`: tokens a row. `tokens`: how many to take, from the beginning; None
    for all. Documents are joined and cut into rows, or with `padding` have a row each.

    Raises UsageError if a number cannot be used.
    """

    file: Path
    context: int = defaults.CONTEXT
    tokens: int | None = defaults.TOKENS
    padding: bool = False

    def __post_init__(self) -> None:
        if self.context < 2:
            raise UsageError(f"A context of {self.context} is too short. Take at least 2 tokens.")
        if self.tokens is not None and self.tokens < 1:
            raise UsageError(f"{self.tokens} tokens are nothing to average over. Take more.")

    @property
    def settings(self) -> dict[str, Any]:
        """These options by their names on the command line."""
        options = asdict(self)
        return {"text": str(options.pop("file")), **options}


class TokenRows(NamedTuple):
    """Rows of tokens, and which of them count (None: all)."""

    tokens: Int[Tensor, "n s"]
    counted: Bool[Tensor, "n s"] | None


def documents(file: Path) -> Iterator[str]:
    """Yield the documents in a file, in order.

    Raises UsageError if the file is missing or broken, or if its name does not say what it is.
    """
    try:
        if file.suffix == ".txt":
            for part in file.read_text(encoding="utf-8").split(SEPARATOR):
                yield part.strip("\r\n")
        elif file.suffix == ".jsonl":
            yield from _jsonl(file)
        elif file.suffix == ".parquet":
            for batch in pq.ParquetFile(file).iter_batches(columns=["text"]):
                yield from (text or "" for text in batch.column("text").to_pylist())
        else:
            raise UsageError(
                f"{str(file)!r} is no text that can be read. Give one of {', '.join(SUFFIXES)}."
            )
    except UnicodeDecodeError as error:
        raise UsageError(f"{str(file)!r} is not in UTF-8 ({error.reason}). Convert it.") from error
    except OSError as error:
        raise UsageError(f"{str(file)!r} cannot be read ({error.strerror or error}).") from error
    except (pa.ArrowException, KeyError) as error:
        raise UsageError(
            f"{str(file)!r} cannot be read as Parquet with a column 'text' ({error})."
        ) from error


def _jsonl(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                text = json.loads(line)["text"]
            except (ValueError, TypeError, KeyError) as error:
                raise UsageError(
                    f"Line {number} of {str(file)!r} is no JSON object with a field 'text'."
                ) from error
            yield str(text)


def read_rows(text: Text, tokenizer: Callable[[], Any]) -> TokenRows:
    """Return the rows of tokens that `text` asks for; `tokenizer` loads transformers' tokenizer.

    Raises UsageError if there is not enough for one row, or the file cannot be read.
    """
    if text.file.suffix == ".safetensors":
        return _given(text)
    found = _encoded(text.file, tokenizer())
    return _padded(text, found) if text.padding else _packed(text, found)


def _encoded(file: Path, tokenizer: Any) -> Iterator[list[int]]:
    """Yield each document's tokens, with a mark at its start or its end.

    The tokenizer's own if it sets one, else its token for the end of a text.
    """
    first, last = tokenizer.bos_token_id, tokenizer.eos_token_id
    for document in documents(file):
        tokens: list[int] = tokenizer(document, verbose=False)["input_ids"]
        marked = tokens and (tokens[0] == first or tokens[-1] == last)
        if document:
            yield tokens if marked or last is None else [*tokens, last]


def _packed(text: Text, encoded: Iterable[list[int]]) -> TokenRows:
    wanted = text.tokens
    stream: list[int] = []
    for tokens in encoded:
        stream += tokens
        if wanted is not None and len(stream) >= wanted:
            del stream[wanted:]
            break
    rows = len(stream) // text.context
    if not rows:
        raise UsageError(
            f"{str(text.file)!r} gives fewer tokens ({len(stream):,}) than one context has "
            f"({text.context:,}). Give more text or --tokens, or a shorter --context."
        )
    return TokenRows(torch.tensor(stream[: rows * text.context]).view(rows, text.context), None)


def _padded(text: Text, encoded: Iterable[list[int]]) -> TokenRows:
    """Return a row per document, cut at the context's end and filled up behind with token 0."""
    rows: list[list[int]] = []
    left = text.tokens
    for tokens in encoded:
        row = tokens[: text.context if left is None else min(text.context, left)]
        rows.append(row)
        if left is not None:
            left -= len(row)
            if not left:
                break
    if not rows:
        raise UsageError(f"{str(text.file)!r} holds no text.")
    filled = torch.zeros(len(rows), max(2, *map(len, rows)), dtype=torch.long)
    counted = torch.zeros(filled.shape, dtype=torch.bool)
    for i, row in enumerate(rows):
        filled[i, : len(row)] = torch.tensor(row)
        counted[i, : len(row)] = True
    return TokenRows(filled, None if counted.all() else counted)


def _given(text: Text) -> TokenRows:
    """Return the tokens in a file of tensors, as they are."""
    path = str(text.file)
    try:
        tensors = load_file(text.file)
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path!r} cannot be read as safetensors ({error}).") from error
    tokens, counted = tensors.get("tokens"), tensors.get("counted")
    if tokens is None or tokens.ndim != 2 or tokens.is_floating_point() or not tokens.numel():
        raise UsageError(f"{path!r} holds no tensor 'tokens' of whole numbers, rows × context.")
    if counted is not None and (counted.shape != tokens.shape or counted.dtype != torch.bool):
        raise UsageError(f"'counted' in {path!r} has to be true or false for each of the tokens.")
    rows = len(tokens) if text.tokens is None else max(1, text.tokens // tokens.shape[1])
    return TokenRows(tokens[:rows].long(), None if counted is None else counted[:rows])
