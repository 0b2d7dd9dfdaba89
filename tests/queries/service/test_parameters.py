"""A request with a parameter that nobody takes is told so."""

from __future__ import annotations

from tests.queries.service.conftest import Api


def test_an_unknown_parameter_is_named_with_those_that_there_are(api: Api) -> None:
    code, line = api.failure("/features", colour="red", sort="index", run=api.served.runs()[0].id)
    assert code == 422
    assert "/api/v1/features has no parameter colour. It takes " in line
    assert " run, " in line
    assert "sort" in line
    assert api.ask("/features", sort="index")


def test_aliases_are_the_names_that_are_known(api: Api) -> None:
    code, line = api.failure("/runs", limit=3)
    assert code == 422
    assert "has no parameter limit. " in line
