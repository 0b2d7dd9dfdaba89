"""The texts of the named queries: each documents itself, its parameters and its answer."""

from __future__ import annotations

import re

import pytest

from queries.asking.library import NamedQuery, all_queries


@pytest.mark.parametrize("query", all_queries(), ids=lambda query: query.name)
def test_a_text_documents_itself(query: NamedQuery) -> None:
    code = re.sub(r"^//.*\n", "", query.text, flags=re.MULTILINE)
    used = set(re.findall(r"\$(\w+)", code))
    assert used == {"run", *(parameter.name for parameter in query.parameters)}
    assert query.title
    assert query.question.endswith("?")
    assert set(re.findall(r"^// :param (\w+) => ", query.text, re.MULTILINE)) == used
    assert "(:Run {id: $run, status: 'complete'})" in code.replace("(here:Run", "(:Run")
    assert not re.search(r"\b(CREATE|SET|DELETE|MERGE|REMOVE|apoc|gds)\b", code)
    returned = code[code.rindex("RETURN") :]
    names = {each.name for each in all_queries()}
    for column in re.findall(r"\w+", query.notes):
        if "_" in column and column not in names:
            assert column in code, f"the notes speak of {column}"
    assert "LIMIT $k" in returned or "k" not in used or query.name == "inputs_of"
    assert max(map(len, query.text.splitlines())) <= 100


@pytest.mark.parametrize("query", all_queries(), ids=lambda query: query.name)
def test_defaults_are_of_their_kind_and_an_answer_is_shown(
    query: NamedQuery,
) -> None:
    example = query.text.partition("// Example answer")[2]
    assert len(re.findall(r"^//   ", example, re.MULTILINE)) > 1
    known = {"count", "index", "number", "share", "layer", "feature", "run"}
    for parameter in query.parameters:
        assert parameter.kind in known or parameter.value in parameter.kind.split(" | ")
        assert parameter.about
