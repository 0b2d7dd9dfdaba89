"""What every store promises, checked on each of them."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest

from ingest.schema import CONSTRAINTS, FEATURE, INTERACTS, RUN
from ingest.store import GraphStore, Transaction, open_store
from ingest.store.kglite_writing import WIDE
from ingest.store.protocol import Bounds
from lib_graph.errors import StoreError

COUNT = "MATCH (n) RETURN count(n) AS n"
WRITES = [
    "CREATE (:Run {id: 'x'})",
    "MERGE (r:Run {id: 'x'}) RETURN r.id AS id",
    "MATCH (r:Run) SET r.name = 'other'",
    "MATCH (r:Run) DETACH DELETE r",
    "MATCH (r:Run) REMOVE r.name",
    "CREATE INDEX other IF NOT EXISTS FOR (n:Feature) ON (n.role)",
]


def runs(*ids: str) -> pd.DataFrame:
    nothing = dict.fromkeys(RUN.properties)
    return pd.DataFrame([{**nothing, "id": name, "name": name, "features": 1} for name in ids])


def features(*ids: str) -> pd.DataFrame:
    nothing = dict.fromkeys(FEATURE.properties)
    rows = [
        {**nothing, "id": name, "run": "r", "label": "", "index": i} for i, name in enumerate(ids)
    ]
    return pd.DataFrame(rows)


def interactions(*pairs: tuple[str, str]) -> pd.DataFrame:
    nothing = dict.fromkeys(INTERACTS.properties)
    return pd.DataFrame([{**nothing, "source": a, "target": b, "strength": 0.5} for a, b in pairs])


def count(store: GraphStore) -> int:
    found: int = store.execute(COUNT)[0]["n"]
    return found


@pytest.mark.parametrize(
    "value",
    [0, -1, 2**62, 0.1, 5e-324, 1.7976931348623157e308, -0.5, True, None, "", "naïve ∑ 'x' \\ `",
     [1, 2], ["a", "b"], [[1.5, 2.5], [3.5]], {"key": [1, None]}],
)  # fmt: skip
def test_values_come_back_as_they_went(store: GraphStore, value: object) -> None:
    [row] = store.execute("RETURN $value AS value", {"value": value})
    assert row == {"value": value}
    assert type(row["value"]) is type(value)


def test_properties_come_back_as_they_went(store: GraphStore) -> None:
    frame = runs("a", "b").assign(strength_total=[0.1, math.nan], manifest=["{\n}", None])
    store.transact(lambda transaction: transaction.add_nodes(RUN, frame))
    assert store.execute(
        "MATCH (r:Run) RETURN r.id AS id, r.features AS n, r.strength_total AS s, r.manifest AS m "
        "ORDER BY id"
    ) == [{"id": "a", "n": 1, "s": 0.1, "m": "{\n}"}, {"id": "b", "n": 1, "s": None, "m": None}]


def test_a_parameter_is_never_read_as_cypher(store: GraphStore) -> None:
    hostile = "x'}) DETACH DELETE r //"
    store.transact(lambda transaction: transaction.add_nodes(RUN, runs("a", hostile)))
    text = "MATCH (r:Run {id: $id}) RETURN r.name AS name"
    assert store.execute(text, {"id": hostile}) == [{"name": hostile}]


def test_a_frame_has_its_columns_even_if_empty(store: GraphStore) -> None:
    frame = store.frame("MATCH (r:Run) RETURN r.id AS id, r.features AS features")
    assert list(frame.columns) == ["id", "features"]
    assert len(frame) == 0


def test_a_frame_holds_the_rows(store: GraphStore) -> None:
    text = "UNWIND [[1, 'a', 0.5], [2, null, null]] AS r RETURN r[0] AS i, r[1] AS s, r[2] AS f"
    frame = store.frame(text)
    assert frame.i.tolist() == [1, 2]
    assert frame.s[0] == "a"
    assert frame.f.dtype == float
    assert frame.isna().to_numpy().tolist() == [[False, False, False], [False, True, True]]


@pytest.mark.parametrize("text", WRITES)
def test_reading_refuses_to_write(store: GraphStore, text: str) -> None:
    store.transact(lambda transaction: transaction.add_nodes(RUN, runs("a")))
    for read in (store.execute, store.frame):
        with pytest.raises(StoreError, match="only reading is allowed"):
            read(text)
    assert store.execute("MATCH (n) RETURN n.id AS id, n.name AS name") == [
        {"id": "a", "name": "a"}
    ]


def test_writing_says_what_changed(store: GraphStore) -> None:
    done = store.write("CREATE (r:Run {id: $id, name: 'n'}) RETURN r.id AS id", {"id": "x"})
    assert done.rows == [{"id": "x"}]
    assert done.counters["nodes_created"] == 1
    assert count(store) == 1


@pytest.mark.parametrize(
    "text", ["MTCH (n) RETURN n", "RETURN", "", "MATCH (n) RETURN $missing AS x"]
)
def test_a_text_that_is_no_cypher_is_a_store_error(store: GraphStore, text: str) -> None:
    with pytest.raises(StoreError) as caught:
        store.execute(text)
    assert caught.value.exit_code == 1


def test_an_error_undoes_a_transaction(store: GraphStore) -> None:
    def work(transaction: Transaction) -> None:
        transaction.add_nodes(RUN, runs("a"))
        transaction.execute("CREATE (:Run {id: 'b', name: 'b'})")
        assert transaction.execute(COUNT) == [{"n": 2}]
        raise KeyError("stop")

    with pytest.raises(KeyError):
        store.transact(work)
    assert count(store) == 0


def test_a_transaction_that_failed_leaves_nothing_even_if_its_error_is_caught(
    store: GraphStore,
) -> None:
    def work(transaction: Transaction) -> None:
        transaction.add_nodes(RUN, runs("a"))
        raise KeyError("stop")

    with suppress(StoreError), store.writing(), suppress(KeyError):
        store.transact(work)
    assert count(store) == 0


def test_relationships_need_both_nodes(store: GraphStore) -> None:
    def work(transaction: Transaction) -> None:
        transaction.add_nodes(FEATURE, features("a", "b"))
        transaction.add_relationships(INTERACTS, interactions(("a", "b"), ("a", "nobody")))

    with pytest.raises(StoreError):
        store.transact(work)
    assert count(store) == 0


def test_ids_are_unique(store: GraphStore) -> None:
    store.transact(lambda transaction: transaction.add_nodes(RUN, runs("a")))
    with pytest.raises(StoreError):
        store.transact(lambda transaction: transaction.add_nodes(RUN, runs("b", "a")))
    with pytest.raises(StoreError):
        store.write("CREATE (:Run {id: 'a'})")
    assert store.execute("MATCH (r:Run) RETURN r.id AS id") == [{"id": "a"}]


def test_the_schema_can_be_ensured_again(store: GraphStore, store_target: str) -> None:
    before = schema(store)
    assert len(before) >= 2 * len(CONSTRAINTS)
    with open_store(store_target) as other:
        other.ensure_schema()
    store.ensure_schema()
    assert schema(store) == before


def schema(store: GraphStore) -> list[str]:
    """Return the names of all constraints and indexes."""
    rows = [*store.execute("SHOW CONSTRAINTS"), *store.execute("SHOW INDEXES")]
    return sorted(row["name"] for row in rows)


def test_many_readers_see_what_a_writer_finished(store: GraphStore, store_target: str) -> None:
    with open_store(store_target) as one, open_store(store_target) as two:
        assert [count(one), count(two)] == [0, 0]
        with store.writing():
            store.transact(lambda transaction: transaction.add_nodes(RUN, runs("a")))
            assert count(store) == 1
            assert count(one) in (0, 1)
        assert [count(one), count(two)] == [1, 1]


def test_nodes_and_relationships_come_back_as_their_properties(store: GraphStore) -> None:
    store.write(
        "CREATE (:Layer {id: 'a', name: 'n'})-[:FEEDS {w: 1}]->(:Layer {id: 'b', name: 'm'})"
    )
    one, two = {"id": "a", "name": "n"}, {"id": "b", "name": "m"}
    text = (
        "MATCH p = (a:Layer)-[r:FEEDS]->(b:Layer) "
        "RETURN a AS a, r AS r, p AS p, [1, b] AS l, {k: b} AS m"
    )
    expected = [{"a": one, "r": {"w": 1}, "p": [one, two], "l": [1, two], "m": {"k": two}}]
    assert store.execute(text) == expected
    assert store.frame(text).to_dict("records") == expected


def test_closing_twice_leaves_the_store_to_others(store_target: str) -> None:
    graph = open_store(store_target)
    graph.write("CREATE (:Run {id: 'x'})")
    graph.close()
    graph.close()
    with open_store(store_target) as other:
        other.write("CREATE (:Run {id: 'y'})")
        assert count(other) == 2


@pytest.mark.parametrize(
    ("targets", "says"),
    [(WIDE, f"Of {WIDE} INTERACTS"), (WIDE + 1, f"Only {WIDE} of {WIDE + 1} INTERACTS")],
)
def test_only_sources_with_many_targets_are_written_one_by_one(
    tmp_path: Path, targets: int, says: str
) -> None:
    """It is told by what a missing node is called; the bulk call would take ever longer."""
    ends = [str(i) for i in range(targets)]

    def work(transaction: Transaction) -> None:
        transaction.add_nodes(FEATURE, features("a", *ends[1:]))
        transaction.add_relationships(INTERACTS, interactions(*(("a", end) for end in ends)))

    with open_store(str(tmp_path / "wide.kgl")) as graph, pytest.raises(StoreError, match=says):
        graph.transact(work)


def test_a_source_with_many_targets_comes_with_the_others(tmp_path: Path) -> None:
    ends = [str(i) for i in range(WIDE + 1)]
    pairs = [("0", "a"), *(("a", end) for end in ends), ("1", "0")]

    def work(transaction: Transaction) -> None:
        transaction.add_nodes(FEATURE, features("a", *ends))
        transaction.add_relationships(INTERACTS, interactions(*pairs))

    with open_store(str(tmp_path / "wide.kgl")) as graph:
        graph.transact(work)
        rows = graph.execute("MATCH (s)-[:INTERACTS]->(t) RETURN s.id AS s, t.id AS t")
    assert sorted((row["s"], row["t"]) for row in rows) == sorted(pairs)


def test_capabilities_tell_the_kind(store: GraphStore, store_target: str) -> None:
    embedded = store_target.endswith(".kgl")
    assert store.capabilities.kind == ("embedded" if embedded else "neo4j")
    assert store.capabilities.atomic is embedded
    assert int(store.capabilities.version.split(".")[0]) >= (0 if embedded else 5)
    assert store.name == store_target


@pytest.mark.parametrize(
    "text",
    [
        "LOAD CSV FROM '{file}' AS row RETURN row",
        "load // now\n csv WITH HEADERS FROM '{file}' AS row RETURN row",
        "UNWIND [1] AS x LOAD CSV FROM '{file}' AS row RETURN row",
        "EXPLAIN LOAD CSV FROM '{file}' AS row RETURN row",
    ],
)
def test_reading_reads_no_files(tmp_path: Path, text: str) -> None:
    """Of the embedded store; a server reads only its own import folder."""
    (tmp_path / "some.csv").write_text("harmless\n")
    file = f"file://{tmp_path / 'some.csv'}"
    with open_store(tmp_path / "graph.kgl") as graph:
        graph.ensure_schema()
        for read in (graph.execute, graph.frame):
            with pytest.raises(StoreError, match="reads a file with LOAD CSV") as caught:
                read(text.replace("{file}", file))
            assert "\n" not in str(caught.value)


def test_a_frame_has_at_most_so_many_rows(store: GraphStore) -> None:
    text = "UNWIND range(1, 9) AS n RETURN n, 'x' AS x ORDER BY n"
    assert store.frame(text, bounds=Bounds(60.0, 4)).n.tolist() == [1, 2, 3, 4]
    assert store.frame(text, bounds=Bounds(60.0, 99)).n.tolist() == [*range(1, 10)]
    nothing = store.frame("UNWIND [] AS n RETURN n", bounds=Bounds(60.0, 1))
    assert list(nothing.columns) == ["n"]


@pytest.mark.slow
def test_a_text_is_stopped_after_its_time(store: GraphStore) -> None:
    text = "UNWIND range(1, 20000) AS a UNWIND range(1, 20000) AS b RETURN sum(a * b % 7) AS s"
    with pytest.raises(StoreError, match="took longer than it may"):
        store.frame(text, bounds=Bounds(0.3, 1))
    assert store.execute("RETURN 1 AS one") == [{"one": 1}]
