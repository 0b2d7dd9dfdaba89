"""Tokens as people write them."""

import pytest
import torch

from lib_graph.data.notation import Sample
from lib_graph.errors import UsageError
from lib_graph.networks.tokens import Tokens

PIECES = ["<s>", "▁once", "▁up", "on", "<0x0A>", "Ġtime"]


class Tokenizer:
    """As much of a tokenizer of transformers as the notation needs."""

    def convert_ids_to_tokens(self, numbers):
        return [PIECES[number] for number in numbers]

    def get_vocab(self):
        return {piece: number for number, piece in enumerate(PIECES)}

    def __call__(self, text, verbose):
        return {"input_ids": [PIECES.index(f"▁{word}") for word in text.split()]}


NOTATION = Tokens(Tokenizer)


def test_tokens_are_written_as_their_text():
    sample = Sample((torch.tensor([0, 1, 2, 3, 4, 5]),))
    assert NOTATION.write(sample, 3) == "<s> once up«on»⏎ time"
    assert NOTATION.write(sample, None) == "<s> once upon⏎ time"


def test_padding_is_not_written():
    counted = torch.tensor([True, True, True, False])
    assert NOTATION.write(Sample((torch.tensor([1, 2, 3, 0]),), counted), 0) == "« once» upon"


def test_a_prompt_is_read():
    assert NOTATION.read("once up").inputs[0].tolist() == [1, 2]
    with pytest.raises(UsageError, match="empty"):
        NOTATION.read("")


def test_a_vocabulary_is_the_number_of_each_piece():
    assert NOTATION.vocabulary == Tokens(Tokenizer).vocabulary
    assert NOTATION.vocabulary["on"] == 3


def test_each_number_has_the_name_of_its_piece():
    assert NOTATION.names() == ["<s>", "␣once", "␣up", "on", "⏎", "␣time"]
