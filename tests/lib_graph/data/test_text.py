"""Rows of tokens: what is packed, what is padded, and what is said of files that cannot be read."""

import json

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoTokenizer

from lib_graph.analysis.reopening import text_of
from lib_graph.data.text import Text, documents, read_rows
from lib_graph.errors import UsageError
from lib_graph.run.config import BuildConfig
from tests.lib_graph.language_models import save_tokenizer

DOCUMENTS = ["a b c", "d e", "", "f g h a b"]


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizers")
    save_tokenizer(folder / "marking")
    save_tokenizer(folder / "plain", mark=False)
    return {name: AutoTokenizer.from_pretrained(folder / name) for name in ("marking", "plain")}


def written(folder, suffix):
    file = folder / f"text{suffix}"
    if suffix == ".txt":
        file.write_text("\n<|endoftext|>\n".join(DOCUMENTS) + "\n", encoding="utf-8")
    elif suffix == ".jsonl":
        lines = [json.dumps({"text": document, "other": 1}) for document in DOCUMENTS]
        file.write_text("\n\n".join(lines), encoding="utf-8")
    else:
        pd.DataFrame({"text": DOCUMENTS, "other": 1}).to_parquet(file)
    return file


@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".parquet"])
def test_documents_of_every_format(tmp_path, suffix):
    assert list(documents(written(tmp_path, suffix))) == DOCUMENTS


@pytest.fixture
def file(tmp_path):
    return written(tmp_path, ".jsonl")


def rows(text, tokenizer):
    return read_rows(text, lambda: tokenizer)


def test_packed_documents_follow_each_other(file, tokenizers):
    found = rows(Text(file, context=4), tokenizers["marking"])
    assert found.counted is None
    assert found.tokens.tolist() == [[0, 2, 3, 4], [0, 5, 6, 0], [7, 8, 9, 2]]


def test_a_tokenizer_without_marks_gets_an_end_of_text(file, tokenizers):
    found = rows(Text(file, context=4), tokenizers["plain"])
    assert found.tokens.tolist() == [[2, 3, 4, 1], [5, 6, 1, 7], [8, 9, 2, 3]]


def test_padded_documents_have_rows_of_their_own(file, tokenizers):
    tokens, counted = rows(Text(file, context=5, padding=True), tokenizers["marking"])
    assert tokens.tolist() == [[0, 2, 3, 4, 0], [0, 5, 6, 0, 0], [0, 7, 8, 9, 2]]
    assert counted.sum(1).tolist() == [4, 3, 5]
    assert all(row.tolist() == sorted(row.tolist(), reverse=True) for row in counted)


@pytest.mark.parametrize("padding", [False, True])
def test_no_more_tokens_than_asked_for(file, tokenizers, padding):
    text = Text(file, context=3, tokens=5, padding=padding)
    tokens, counted = rows(text, tokenizers["marking"])
    assert tokens.tolist() == ([[0, 2, 3], [0, 5, 0]] if padding else [[0, 2, 3]])
    assert counted is None or int(counted.sum()) == 5


def test_rows_are_full_where_nothing_is_padded(file, tokenizers):
    assert rows(Text(file, context=3, padding=True), tokenizers["marking"]).counted is None


@pytest.mark.parametrize("masked", [False, True])
def test_given_tokens_are_taken_as_they_are(tmp_path, masked):
    tokens = torch.arange(12, dtype=torch.int32).view(4, 3)
    tensors = {"tokens": tokens} | ({"counted": tokens > 2} if masked else {})
    save_file(tensors, tmp_path / "tokens.safetensors")
    found = read_rows(Text(tmp_path / "tokens.safetensors", tokens=9), lambda: None)
    assert torch.equal(found.tokens, tokens[:3].long())
    assert torch.equal(found.counted, tokens[:3] > 2) if masked else found.counted is None


FILES = {
    "missing.txt": (None, "cannot be read"),
    "text.csv": (b"a,b", "no text that can be read. Give one of .txt, .jsonl"),
    "latin.txt": (b"\xe9t\xe9", "not in UTF-8"),
    "bad.jsonl": (b'{"text": "a"}\n{"text', "Line 2 of .* is no JSON object with a field 'text'"),
    "other.jsonl": (b'{"story": "a"}', "Line 1 of .* field 'text'"),
    "bad.parquet": (b"PAR1", "cannot be read as Parquet with a column 'text'"),
    "bad.safetensors": (b"no", "cannot be read as safetensors"),
    "empty.txt": (b"", r"gives fewer tokens \(0\) than one context has \(128\)"),
    "short.txt": (b"a b c", r"gives fewer tokens \(4\) than one context has \(128\)"),
}


@pytest.mark.parametrize("name", FILES)
def test_what_cannot_be_read_is_one_line(tmp_path, tokenizers, name):
    content, message = FILES[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=message) as caught:
        rows(Text(tmp_path / name), tokenizers["marking"])
    assert "\n" not in str(caught.value)


def test_a_parquet_file_without_text(tmp_path):
    pd.DataFrame({"story": ["a"]}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(UsageError, match="column 'text'"):
        list(documents(tmp_path / "x.parquet"))


def test_nothing_to_pad(tmp_path, tokenizers):
    (tmp_path / "x.txt").write_text("")
    with pytest.raises(UsageError, match="holds no text"):
        rows(Text(tmp_path / "x.txt", padding=True), tokenizers["marking"])


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"ids": torch.ones(2, 2).long()}, "no tensor 'tokens'"),
        ({"tokens": torch.ones(2, 2)}, "of whole numbers"),
        ({"tokens": torch.ones(4).long()}, "rows × context"),
        ({"tokens": torch.ones(2, 2).long(), "counted": torch.ones(2, 2)}, "true or false"),
        ({"tokens": torch.ones(2, 2).long(), "counted": torch.ones(1, 2) > 0}, "true or false"),
    ],
)
def test_tensors_that_are_no_tokens(tmp_path, tensors, message):
    save_file(tensors, tmp_path / "x.safetensors")
    with pytest.raises(UsageError, match=message):
        read_rows(Text(tmp_path / "x.safetensors"), lambda: None)


@pytest.mark.parametrize(("option", "value"), [("context", 1), ("tokens", 0)])
def test_numbers_that_make_no_row(tmp_path, option, value):
    with pytest.raises(UsageError):
        Text(tmp_path / "x.txt", **{option: value})


def test_settings_say_which_text_it_was(tmp_path):
    text = Text(tmp_path / "x.txt", context=9, tokens=None, padding=True)
    assert text_of(BuildConfig(**text.settings, basis="lib")) == text
    assert text_of(BuildConfig(basis="lib")) is None
