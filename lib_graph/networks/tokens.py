"""How people write the tokens of a language model: as the text they are pieces of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from lib_graph.data.notation import Notation, Sample, marked
from lib_graph.errors import UsageError

__all__ = ["Tokens"]

SPACES = ("▁", "Ġ")  # how SentencePiece and GPT-2's tokenizer write a space
LINES = ("Ċ", "<0x0A>", "\n")


@dataclass(frozen=True)
class Tokens(Notation):
    """The notation of tokens. `tokenizer` returns that of transformers, loaded once."""

    tokenizer: Callable[[], Any]

    @property
    def vocabulary(self) -> object:
        """The number of each piece of text."""
        return self.tokenizer().get_vocab()

    def names(self) -> list[str | None]:
        """Return what each number of the vocabulary is called: ␣ is a space, ⏎ a new line."""
        numbers = self.tokenizer().get_vocab()
        found: list[str | None] = [None] * (1 + max(numbers.values(), default=-1))
        for piece, number in numbers.items():
            found[number] = _text(piece).replace(" ", "␣") or None
        return found

    def write(self, sample: Sample, position: int | None) -> str:
        """Return the text of the tokens that count, one of them marked; ⏎ is a new line."""
        numbers = sample.inputs[0].tolist()
        pieces = self.tokenizer().convert_ids_to_tokens(numbers)
        counts = [True] * len(numbers) if sample.counted is None else sample.counted.tolist()
        shown = {s: _text(piece) for s, piece in enumerate(pieces) if counts[s]}
        return marked(shown, position, between="")

    def pieces(self, sample: Sample) -> tuple[str, ...]:
        """Return each token as text; what is only a part of a character is �."""
        tokenizer = self.tokenizer()
        pieces = tokenizer.convert_ids_to_tokens(sample.inputs[0].tolist())
        return tuple(_exact(tokenizer, piece) for piece in pieces)

    def read(self, text: str) -> Sample:
        """Return the tokens of a text. Raises UsageError if there are none."""
        numbers = self.tokenizer()(text, verbose=False)["input_ids"]
        if not numbers:
            raise UsageError("The text is empty. Write a prompt.")
        return Sample((torch.tensor(numbers),))


def _exact(tokenizer: Any, piece: str) -> str:
    """Return the text of a piece; of SentencePiece's the tokenizer would drop the first space."""
    if SPACES[0] in piece:
        return piece.replace(SPACES[0], " ")
    return str(tokenizer.convert_tokens_to_string([piece]))


def _text(piece: str) -> str:
    """Return what a piece looks like within a line.

    >>> _text("Ġcat"), _text("<0x0A>")
    (' cat', '⏎')
    """
    if piece in LINES:
        return "⏎"
    for space in SPACES:
        piece = piece.replace(space, " ")
    return piece
