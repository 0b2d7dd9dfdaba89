"""How a real Neo4j runs the shipped texts: with which indexes, and without a warning."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import neo4j
import pytest

import ingest
import queries
from ingest.schema import FEATURE_INDEXES
from lib_graph.run import Run
from queries.asking.library import all_queries
from queries.asking.statements import CYPHER, read_text
from tests.conftest import Neo4j
from tests.synthetic import random_matches, random_run

pytestmark = [pytest.mark.neo4j, pytest.mark.slow]
RUNS = 3


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    folder = tmp_path_factory.mktemp("runs")
    made = [random_run(folder / str(i), (20, 20, 20), density=0.9, seed=i) for i in range(RUNS)]
    random_matches(made[0], made[1])
    return made


@pytest.fixture(scope="module")
def session(neo4j_server: Neo4j, runs: list[Run]) -> Iterator[neo4j.Session]:
    """A session on a store with several runs, whose statistics are fresh."""
    neo4j_server.wipe()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in neo4j_server.settings.items():
            patch.setenv(name, value)
        for run in runs:
            ingest.load(run, neo4j_server.uri)
        with queries.open_graph(neo4j_server.uri) as graph:
            graph.save_communities(graph.communities())
            graph.circuits.save(graph.circuit(target="layer.2/1", min_share=0.01), "circuit")
    with neo4j_server.driver() as driver, driver.session() as opened:
        opened.run("CALL db.prepareForReplanning(60)").consume()
        yield opened


def texts() -> Iterator[tuple[str, str]]:
    for file in sorted(CYPHER.rglob("*.cypher")):
        if file.parent.name not in ("strongest_paths", "gds"):  # parts, and for GDS
            yield str(file.relative_to(CYPHER)), file.read_text(encoding="utf-8")


def parameters(session: neo4j.Session, text: str, run: Run) -> dict[str, Any]:
    """The parameters of the example in a text's comment, of a run that is there."""
    found = re.findall(r"^// :param (\w+) => (.*)$", text, re.MULTILINE)
    values = {name: session.run(f"RETURN {value} AS v").single() for name, value in found}
    return {name: row and row["v"] for name, row in values.items()} | {"run": run.id}


def operators(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("children", ()):
        yield from operators(child)


def _is_of_a_name(note: neo4j.GqlStatusObject) -> bool:
    """Whether it is of a property that nothing in this store has, such as what ablations add."""
    return note.classification is neo4j.NotificationClassification.UNRECOGNIZED


def test_every_index_is_used_and_no_text_warns(session: neo4j.Session, runs: list[Run]) -> None:
    details, warned = [], {}
    for name, text in texts():
        done = session.run(f"EXPLAIN {text}", parameters(session, text, runs[0])).consume()
        assert done.plan is not None
        details += [str(each["args"].get("Details", "")) for each in operators(done.plan)]
        notes = [each for each in done.gql_status_objects if each.is_notification]
        if said := [each.status_description for each in notes if not _is_of_a_name(each)]:
            warned[name] = said
    assert warned == {}
    indexes = session.run(
        "SHOW INDEXES YIELD type, entityType, labelsOrTypes, properties, owningConstraint "
        "WHERE type = 'RANGE' AND owningConstraint IS NULL "
        "RETURN labelsOrTypes[0] + '(' + reduce(s = head(properties), p IN tail(properties) | "
        "s + ', ' + p) + ')' AS shown"
    ).value("shown")
    assert len(indexes) == len(FEATURE_INDEXES)
    for index in indexes:
        assert any(f":{index}" in each for each in details), index


def test_no_text_of_a_run_scans_the_features_of_all(
    session: neo4j.Session, runs: list[Run]
) -> None:
    scanned = []
    for name, text in texts():
        done = session.run(f"EXPLAIN {text}", parameters(session, text, runs[0])).consume()
        assert done.plan is not None
        for each in operators(done.plan):
            scan = each["operatorType"].startswith("NodeByLabelScan")
            if scan and ":Feature" in str(each["args"].get("Details")):
                scanned.append(name)
    assert scanned == []


def test_the_strongest_interactions_are_found_without_sorting_all(
    session: neo4j.Session, runs: list[Run]
) -> None:
    text = read_text("interactions")
    asked = parameters(session, text, runs[0]) | {
        "source_layer": None, "target_layer": None, "limit": 2,
    }  # fmt: skip
    done = session.run(f"PROFILE {text}", asked).consume()
    assert done.profile is not None
    sorting = [
        each for each in operators(done.profile)
        if each["operatorType"].partition("@")[0] in ("Sort", "Top", "PartialSort", "PartialTop")
    ]  # fmt: skip
    assert sorting
    sorted_rows = [sum(child["rows"] for child in each["children"]) for each in sorting]
    assert sum(sorted_rows) < len(runs[0].interactions) / 4
    assert (
        session.run(text, asked).value("strength")
        == sorted(runs[0].interactions.dropna(subset="share").strength, reverse=True)[:2]
    )


def test_every_named_query_is_among_the_texts() -> None:
    assert {f"library/{query.name.replace('-', '_')}.cypher" for query in all_queries()} <= {
        name for name, _ in texts()
    }
