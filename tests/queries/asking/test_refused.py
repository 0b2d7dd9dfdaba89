"""What cannot be asked of the named queries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import ingest
import queries
from lib_graph.errors import NotFoundError, UsageError
from tests.synthetic import random_run


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[queries.Graph]:
    folder = tmp_path_factory.mktemp("library")
    target = str(folder / "graph.kgl")
    ingest.load(random_run(folder / "base", name="base"), target)
    with queries.open_graph(target) as found:
        yield found


@pytest.mark.parametrize(
    ("name", "parameters", "says"),
    [
        ("hub", {}, "Query 'hub' not found. Closest: 'hubs'. List them with 'lib-graph queries'."),
        ("hubs", {"kk": 3}, "Parameter of the query 'hubs' 'kk' not found. Closest: 'k'."),
        ("hubs", {"k": "many"}, "The parameter k is 'many'. Give a whole number from 1."),
        ("hubs", {"k": 0}, "whole number from 1"),
        ("hubs", {"k": True}, "whole number from 1"),
        ("hubs", {"k": None}, "whole number from 1"),
        ("hubs", {"min_share": 2}, "from 0 to 1"),
        ("hubs", {"min_share": "much"}, "Give a number"),
        ("hubs", {"by": "strength"}, "Take one of strength_out, strength_in"),
        ("hubs", {"layer": "layer1"}, "Closest: 'layer/1'"),
        ("hubs", {"layer": 1}, "Give text"),
        ("module_flow", {"seed": -1}, "whole number from 0"),
        ("module_flow", {"resolution": float("inf")}, "Give a number"),
        ("inputs_of", {}, "needs a value for feature (feature): the feature that is driven."),
        ("inputs_of", {"feature": None}, "Give text"),
        ("inputs_of", {"feature": "layer/1"}, "Give a feature, LAYER/INDEX"),
        ("inputs_of", {"feature": "layer/1/99"}, "Feature 'layer/1/99' not found"),
        ("changed_variance", {"other": "bse"}, "Closest: 'base'"),
    ],
)
def test_what_cannot_be_asked_is_one_clear_line(
    graph: queries.Graph, name: str, parameters: dict[str, Any], says: str
) -> None:
    with pytest.raises((UsageError, NotFoundError)) as error:
        graph.query(name, **parameters)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
