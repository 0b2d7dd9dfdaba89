"""Texts that hold two runs against each other, and their twins: the same rows on both stores."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import ingest
import queries
from ingest.store import GraphStore, open_store
from ingest.store.columns import KeptRuns
from lib_graph.run import Run
from lib_graph.run.writing import write_features, write_manifest
from lib_graph.support.tables import records_of
from queries.asking.statements import read_text
from queries.columnar import STORE_TWINS
from tests.queries.asking.oracles import ASKED, BASE, RUN
from tests.queries.asking.oracles.world import World, tables
from tests.queries.columnar.test_twins import known, plain
from tests.synthetic import random_run

NAMES = sorted(set(STORE_TWINS) - {"library/graphs_with"})  # of that: test_which_graphs.py
TIES = "0c0000000003"


def asked(name: str, other: str) -> Iterator[dict[str, Any]]:
    """Yield what a text is asked with."""
    of_two = {} if "input_" in name else {"other": other}
    least = [{"min_share": s, "min_importance": i} for s, i in ((0.0, 0.0), (0.2, 0.0), (0.1, 0.3))]
    if name == "library/changed_variance":
        least = [{}]
    for count, values in itertools.product((1, 4, 1000), least):
        yield {**of_two, **values, "limit" if name == "unusual_interactions" else "k": count}


def compare(store: GraphStore, kept: KeptRuns, name: str, run: str, other: str) -> int:
    """Compare all that a text is asked with; return how many rows there were."""
    rows = 0
    for values in asked(name, other):
        frame = store.frame(read_text(name), {"run": run, **values})
        twin = STORE_TWINS[name](kept, run, **values)
        assert twin is not None
        assert list(twin.columns) == list(frame.columns)
        wanted = [{key: known(x) for key, x in row.items()} for row in plain(records_of(frame))]
        assert plain(records_of(twin)) == wanted, values
        rows += len(wanted)
    return rows


def made(folder: Path) -> list[Run]:
    """A base, a run over its features that has one more of them, and one with ties."""
    return [
        random_run(folder / "base", (6, 5, 4, 4), seed=8, run_id=BASE, name="base"),
        random_run(folder / "run", (7, 5, 4, 3), seed=5, run_id=RUN, base=BASE),
        random_run(folder / "ties", (6, 5, 4, 4), seed=3, run_id=TIES, base=BASE, ties=True),
    ]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Run], Path]:
    """The runs, and an embedded store that keeps them as columns."""
    folder = tmp_path_factory.mktemp("beside")
    found = made(folder)
    for run in found:
        ingest.load(run, folder / "graph.kgl")
    return found, folder / "graph.kgl"


def columns_of(file: Path) -> KeptRuns:
    with open_store(file) as store:
        kept = store.columns()
    assert kept is not None
    return kept


@pytest.mark.slow
def test_a_text_and_its_twin_give_the_same_rows(
    store: GraphStore, runs: tuple[list[Run], Path]
) -> None:
    kept = columns_of(runs[1])
    with store.writing():
        for run in runs[0]:
            ingest.load(run, store)
    for name in NAMES:
        pairs = [(RUN, BASE), (TIES, RUN), (BASE, TIES), (TIES, TIES)]
        assert sum(compare(store, kept, name, *pair) for pair in pairs), name


@pytest.mark.slow
@settings(
    phases=[Phase.explicit, Phase.generate], max_examples=6, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(
    widths=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=2, max_size=3),
    density=st.sampled_from([0.0, 0.4, 1.0]), ties=st.booleans(), seed=st.integers(0, 99),
)  # fmt: skip
def test_they_do_on_any_two_runs(
    tmp_path: Path, widths: list[tuple[int, int]], density: float, ties: bool, seed: int
) -> None:
    """Features and interactions that only one has, equal changes, none at all."""
    folder = tmp_path / f"{widths}-{density}-{ties}-{seed}"
    for at, name in enumerate((BASE, RUN)):
        run = random_run(
            folder / name, tuple(each[at] for each in widths), density=density, ties=ties,
            seed=seed + at, run_id=name, base=BASE if at else None,
        )  # fmt: skip
        ingest.load(run, folder / "graph.kgl")
    kept = columns_of(folder / "graph.kgl")
    with open_store(folder / "graph.kgl") as store:
        for name, run_id in itertools.product(NAMES, (BASE, RUN)):
            compare(store, kept, name, run_id, RUN if run_id == BASE else BASE)


@pytest.mark.slow
@pytest.mark.parametrize("name", [
    *(each.removeprefix("library/") for each in NAMES if "/" in each),
    "redundant_pairs", "similar_answers",
])  # fmt: skip
def test_a_twin_answers_as_pandas_does(runs: tuple[list[Run], Path], name: str) -> None:
    """Of graphs asked in Cypher: tests/queries/asking/test_library.py."""
    base, run, _ = runs[0]
    world = World(*tables(run, {}), *tables(base, {}), pd.DataFrame())
    parameters, oracle = ASKED[name]
    with queries.open_graph(runs[1], RUN) as graph:
        assert graph.store.columns() is not None
        if name not in ("redundant_pairs", "similar_answers", "changed_variance"):
            parameters = {"min_importance": 0.1, **parameters}
        found = graph.query(name, **{"k": 5, **parameters}).to_pandas()
    expected = oracle(world).reset_index(drop=True)
    assert len(expected)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-9)


def test_a_layer_that_varies_in_one_run_alone_is_left_out(tmp_path: Path) -> None:
    for name in (BASE, RUN):
        run = random_run(tmp_path / name, (3, 4, 2), seed=6, run_id=name)
        if name == RUN:
            features = run.features
            still = (features["layer"] == "layer/1") & (features["role"] == "feature")
            features.loc[still, "variance"] = 0.0
            write_features(run.path / "features.parquet", features, {"synthetic": 6})
            write_manifest(
                run.path, run.manifest.model_dump(mode="json", exclude={"files", "schema_version"})
            )
        ingest.load(run.path, tmp_path / "graph.kgl")
    kept = columns_of(tmp_path / "graph.kgl")
    with open_store(tmp_path / "graph.kgl") as store:
        for pair in ((BASE, RUN), (RUN, BASE)):
            assert compare(store, kept, "library/changed_variance", *pair) > 0
            found = STORE_TWINS["library/changed_variance"](kept, pair[0], other=pair[1], k=9)
            assert set(found["feature"].str.rpartition("/")[0]) == {"layer.0", "layer.2"}


def test_what_is_not_kept_is_left_to_the_graph(runs: tuple[list[Run], Path]) -> None:
    kept = columns_of(runs[1])
    (kept.folder / str(kept.files[BASE]["interactions"])).rename(runs[1].with_name("away"))
    try:
        for name in NAMES:
            values = next(asked(name, BASE))
            assert STORE_TWINS[name](kept, RUN, **values) is None, name
        with queries.open_graph(runs[1], RUN) as graph:
            assert len(graph.query("input_uses", k=7).records()) == 7
    finally:
        runs[1].with_name("away").rename(kept.folder / str(kept.files[BASE]["interactions"]))
