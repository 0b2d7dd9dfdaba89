"""Each Cypher text and its columnar twin give the same rows in the same order, on both stores."""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

import ingest
from ingest.store import GraphStore, Transaction, open_store
from ingest.store.columns import Columns
from lib_graph.run import Run
from lib_graph.support.tables import records_of
from queries.asking.ends import find_end
from queries.asking.library import find_query
from queries.asking.reader import Reader
from queries.asking.statements import CYPHER, read_text
from queries.circuits.paths import find_paths
from queries.columnar import STORE_TWINS, TWINS
from tests.ablated import ablate
from tests.synthetic import random_run

UNORDERED = {"section_interactions", "section_strengths", "costs_to_target", "shares_into"}
UNORDERED |= {"interactions_between", "interactions_into"}
ALL_OF_A_RUN = {"layers", "prompt_nodes", "run_ablations", "run_manifest", "section_totals"}
ALL_OF_A_RUN |= {"smallest_kept"}
LEAST = "MATCH (l:Layer {run: $run, index: 1}) SET l.smallest_kept = 0.25"
MOST = 9  # ways to ask each text
VALUES = {
    "layer": [None, "layer.0", "layer/1", "layer.2"], "k": [1, 4, 1000],
    "min_share": [0.0, 0.2], "min_importance": [0.0, 0.3], "min_part": [0.0, 0.2],
    "max_share": [0.5, 1.0], "min_inputs": [0, 3],
    "by": ["strength_out", "strength_in", "degree_out", "degree_in"],
}  # fmt: skip


def asked(name: str, run: Run) -> Iterator[dict[str, Any]]:
    """Yield what a text is asked with, so that every parameter changes the answer."""
    ids = [f"{run.id}/{layer}/{index}" for layer, index in run.features[["layer", "index"]].values]
    numbers = range(len(run.layers))
    if name.startswith("library/"):
        names = [p.name for p in find_query(name.removeprefix("library/")).parameters]
        of_a_feature = {"feature": ids[::3], "first": ids[-2:], "second": ids[-3:]}
        wide = [{**VALUES, **of_a_feature}[each] for each in names]
        yield from (dict(zip(names, row, strict=True)) for row in itertools.product(*wide))
    elif name in ALL_OF_A_RUN:
        yield {}
    elif name in ("layer_features", "section_strengths"):
        yield from ({"layer": layer} for layer in numbers)
    elif name == "features":
        yield from ({"layer": layer} for layer in (None, *numbers))
    elif name == "features_by_id":
        yield {"ids": [*ids[::2], "no/such/0"]}
    elif name == "interactions_among":
        yield {"ids": [*ids[::2], *ids[1:3], *ids[:5], "no/such/0"]}
    elif name == "section_interactions":
        yield from ({"layer": n, "min_strength": x} for n in numbers[:-1] for x in (0.0, 2.0))
    elif name == "interactions_between":
        yield {"pairs": [[s, t] for s in ids[:5] for t in ids]}
    elif name == "interactions_into":
        yield from ({"targets": ids[-4:], "min_share": x} for x in (0.0, 0.5))
    elif name == "shares_into":
        yield {"targets": [*ids[-3:], "no/such/0"]}
    elif name == "costs_to_target":
        yield {"next": [{"id": one, "cost": i / 8} for i, one in enumerate(ids[-3:])]}
    else:
        assert name == "interactions"
        ends = [(None, None), (0, None), (1, 1), (None, 2)]
        for (s, i), (t, j), constants in itertools.product(ends, ends, (False, True)):
            yield from (
                {
                    "source_layer": s, "source": i, "target_layer": t, "target": j,
                    "constants": constants, "min_strength": least, "limit": limit,
                }
                for least, limit in ((0.0, 3), (2.0, 1000))  # of ties all are 1 or 2
            )  # fmt: skip


def known(value: Any) -> Any:
    """A value as it is compared: numbers to 12 digits, as sums are of another order."""
    if isinstance(value, float):
        return None if math.isnan(value) else pytest.approx(value, rel=1e-12, abs=1e-300)
    return [known(x) for x in value] if isinstance(value, list) else value


def plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    lists = (dict, list, str, int, float, type(None))
    return [
        {name: x if isinstance(x, lists) else x.tolist() for name, x in row.items()} for row in rows
    ]


def in_order(name: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as they come, or sorted where the text promises no order; so are lists in them."""
    if name not in UNORDERED:
        return rows
    for row in rows:
        lists = [key for key, value in row.items() if isinstance(value, list)]
        pairs = sorted(zip(*(row[key] for key in lists), strict=True))
        row |= {key: [pair[i] for pair in pairs] for i, key in enumerate(lists)}
    return sorted(rows, key=lambda row: str([row.get(c) for c in ("source", "target", "id")]))


def compare(store: GraphStore, columns: Columns, run: Run, name: str) -> int:
    """Compare all that a text is asked with; return how many rows there were."""
    rows = 0
    text = read_text(name)
    ways = list(asked(name, run))
    for parameters in random.Random(0).sample(ways, min(len(ways), MOST)):
        frame = store.frame(text, {"run": run.id, **parameters})
        twin = TWINS[name](columns, **parameters)
        assert twin is not None
        assert list(twin.columns) == list(frame.columns)
        expected = in_order(name, plain(records_of(frame)))
        found = in_order(name, plain(records_of(twin)))
        wanted = [{key: known(value) for key, value in row.items()} for row in expected]
        assert found == wanted, parameters
        rows += len(expected)
    return rows


def runs(folder: Path) -> list[Run]:
    """In one store: one with ties and gaps that ends raw, a dense one with ablations, one with
    errors.
    """
    found = [
        random_run(folder / "a", (4, 5, 3, 4), density=0.5, ties=True, seed=4, run_id="a" * 12),
        random_run(folder / "b", (3, 12, 1, 2), density=1.0, last="basis", seed=5, run_id="b" * 12),
        random_run(folder / "c", (3, 4, 2), seed=6, run_id="c" * 12, errors=True),
    ]
    ablate(found[1])
    return found


def load(store: GraphStore, runs: Sequence[Run]) -> None:
    """Load runs, and note what an ablation of edges kept."""
    for run in runs:
        ingest.load(run, store)
        store.transact(partial(note_smallest_kept, run=run))


def note_smallest_kept(transaction: Transaction, *, run: Run) -> None:
    transaction.execute(LEAST, {"run": run.id})


class InCypher(Reader):
    """Asks the graph, although the store has columns."""

    def columns(self) -> None:
        return None


def compare_paths(store: GraphStore, run: Run) -> None:
    """Compare the walk in the columns with that in Cypher, order and ties included."""
    last = len(run.layers) - 1
    for first, second in itertools.combinations(range(last + 1), 2):
        for one, other in itertools.product((False, True), repeat=2):
            texts = [
                f"{run.layers[n].name}/{run.layers[n].first_index}" if fixed else run.layers[n].name
                for n, fixed in ((first, one), (second, other))
            ]
            answers = []
            for reader in (Reader(store, run.id), InCypher(store, run.id)):
                ends = [find_end(reader.again(), reader.place(text), 0.2) for text in texts]
                answers.append(find_paths(reader, *ends, k=4, layers=last + 1))
            columnar, cypher = answers
            assert [s.text for s in columnar.statements] == [s.text for s in cypher.statements]
            for row, wanted in zip(columnar.records(), cypher.records(), strict=True):
                assert row == {name: known(value) for name, value in wanted.items()}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Run, Columns]]:
    """The runs, and their columns."""
    folder = tmp_path_factory.mktemp("twins")
    made = runs(folder)
    with open_store(folder / "graph.kgl") as store:
        load(store, made)
        columns = store.columns()
        assert columns is not None
        found = {run.id: (run, columns.run(run.id)) for run in made}
    return {name: (run, each) for name, (run, each) in found.items() if each is not None}


def test_the_docs_name_every_text_without_a_twin() -> None:
    page = Path(__file__).parents[3] / "docs" / "stores.md"
    part = page.read_text().partition("asked of the graph all the same")[2].partition("\n## ")[0]
    named = {name for row in part.splitlines() if row.startswith("| `")
             for name in re.findall(r"`([\w/]+)`", row.split("|")[1])}  # fmt: skip
    texts = [*CYPHER.glob("*.cypher"), *CYPHER.glob("library/*.cypher")]
    names = {str(path.relative_to(CYPHER).with_suffix("")) for path in texts}
    of_the_index = {"runs", "all_runs"}  # whose rows stand in index.json
    assert named == names - set(TWINS) - set(STORE_TWINS) - of_the_index


@pytest.mark.slow
def test_a_text_and_its_twin_give_the_same_rows(
    store: GraphStore, kept: dict[str, tuple[Run, Columns]]
) -> None:
    with store.writing():
        load(store, [run for run, _ in kept.values()])
    assert len(kept) == 3
    for name in TWINS:
        rows = sum(compare(store, columns, run, name) for run, columns in kept.values())
        assert rows or name == "prompt_nodes", name  # of those: tests/queries/prompts


@pytest.mark.slow
@settings(
    phases=[Phase.explicit, Phase.generate],  # a smaller graph is not worth minutes
    max_examples=7, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(
    widths=st.lists(st.integers(1, 5), min_size=2, max_size=4).map(tuple),
    density=st.sampled_from([0.0, 0.3, 1.0]), ties=st.booleans(),
    last=st.sampled_from(["raw", "basis"]), seed=st.integers(0, 99),
)  # fmt: skip
@example(widths=(4, 5, 3), density=0.7, ties=False, last="raw", seed=1)  # sums of shares that are 1
@example(widths=(3, 4, 2, 6), density=1.0, ties=True, last="raw", seed=3656)  # of equal shares
def test_they_do_on_any_graph(tmp_path: Path, **graph: Any) -> None:
    """Gaps, ties, one feature in a layer, no interaction at all."""
    folder = tmp_path / "-".join(str(value) for value in graph.values())
    run = random_run(folder, graph.pop("widths"), **graph)
    with open_store(folder / "graph.kgl") as store:
        ingest.load(run, store)
        columns = store.columns()
        assert columns is not None
        one = columns.run(run.id)
        assert one is not None
        for name in TWINS:
            compare(store, one, run, name)
        compare_paths(store, run)
