"""Where the Cypher of the two stores differs: every row of the table in docs/stores.md, tried."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ingest.store import GraphStore
from lib_graph.errors import StoreError

PAGE = Path(__file__).parents[2] / "docs" / "stores.md"
REFUSED = "an error"


@dataclass(frozen=True)
class Difference:
    """A text, what each store answers, and a text to which both answer the same."""

    text: str
    embedded: Any
    neo4j: Any
    instead: str
    both: Any


DIFFERENCES = [
    Difference("RETURN 0.0 / 0.0 AS x", None, math.nan,
               "WITH 0.0 AS n RETURN CASE WHEN n <> 0 THEN 0.0 / n END AS x", None),
    Difference("RETURN 1.0 / 0 AS x", None, math.inf,
               "WITH 0.0 AS n RETURN CASE WHEN n <> 0 THEN 1.0 / n END AS x", None),
    Difference("RETURN log(0) AS x", None, -math.inf,
               "WITH 0.0 AS n RETURN CASE WHEN n > 0 THEN log(n) END AS x", None),
    Difference("RETURN sqrt(-1.0) AS x", None, math.nan,
               "WITH -1.0 AS n RETURN CASE WHEN n >= 0 THEN sqrt(n) END AS x", None),
    Difference("UNWIND [1, 1.0] AS v WITH v, count(*) AS n RETURN count(*) AS x", 2, 1,
               "UNWIND [1, 1.0] AS v WITH toFloat(v) AS v, count(*) AS n RETURN count(*) AS x", 1),
    Difference("RETURN /* one */ 1 AS x", REFUSED, 1, "RETURN 1 AS x // one", 1),
    Difference("USE neo4j RETURN 1 AS x", REFUSED, 1, "RETURN 1 AS x", 1),
]  # fmt: skip
WRITES = "UNWIND [1, 2] AS n CALL (n) { CREATE (:Made {id: n}) } RETURN count(*) AS x"
WRITES_INSTEAD = "UNWIND [1, 2] AS n CREATE (m:Made {id: n}) RETURN count(m) AS x"


def answer(store: GraphStore, text: str) -> Any:
    try:
        return store.execute(text)[0]["x"]
    except StoreError:
        return REFUSED


@pytest.mark.parametrize("row", DIFFERENCES, ids=lambda row: row.text)
def test_a_difference_is_as_the_page_says(store: GraphStore, row: Difference) -> None:
    expected = getattr(row, store.capabilities.kind)
    found = answer(store, row.text)
    assert type(found) is type(expected)
    assert found == expected or math.isnan(found)
    assert answer(store, row.instead) == row.both


def test_only_neo4j_writes_in_a_subquery(store: GraphStore) -> None:
    if store.capabilities.kind == "embedded":
        with pytest.raises(StoreError, match="write clauses"):
            store.write(WRITES)
    else:
        assert store.write(WRITES).rows == [{"x": 2}]
    assert store.write(WRITES_INSTEAD).rows == [{"x": 2}]


def test_the_page_has_them_all() -> None:
    page = PAGE.read_text(encoding="utf-8")
    shown = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    assert shown == [*(row.text for row in DIFFERENCES), WRITES]
    instead = re.findall(r"`([^`]+)` \|$", page, re.MULTILINE)
    assert instead == [*(row.instead for row in DIFFERENCES), WRITES_INSTEAD]


def test_a_value_needs_a_name_of_its_own(store: GraphStore) -> None:
    store.write("CREATE (:Made {id: 2})")
    text = "MATCH (m:Made) WITH m.id AS {0} WHERE {0} = 2 RETURN count(*) AS x"
    assert answer(store, text.format("m")) == (0 if store.capabilities.kind == "embedded" else 1)
    assert answer(store, text.format("v")) == 1
