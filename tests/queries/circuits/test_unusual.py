"""What one input uses that the average does not, against the two tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ingest
import queries
from ingest.store import GraphStore
from lib_graph.errors import NotFoundError, UsageError
from lib_graph.run import Run
from tests.loaded import load_once
from tests.queries.conftest import Answer
from tests.synthetic import random_run

KEYS = ["source_layer", "source", "target_layer", "target"]
BASE, TRACE, SECOND = "0a0000000001", "0a0000000002", "0a0000000003"


@pytest.fixture
def runs(store: GraphStore, tmp_path: Path) -> dict[str, Run]:
    """A run and two of one input over its features."""
    runs = {
        id: random_run(
            tmp_path / id,
            seed=seed,
            run_id=id,
            name=f"run{seed}",
            base=None if id == BASE else BASE,
        )
        for seed, id in enumerate((BASE, TRACE, SECOND))
    }
    load_once(store, *runs.values())
    return runs


def truth(run: Run, other: Run, min_share: float, min_importance: float) -> pd.DataFrame:
    both = run.interactions.merge(
        other.interactions[[*KEYS, "strength", "share"]], how="left", on=KEYS,
        suffixes=("", "_other"),
    )  # fmt: skip
    features = run.features.set_index(["layer", "index"])
    largest = features.groupby("layer").importance.max()
    targets = features.loc[pd.MultiIndex.from_frame(both[["target_layer", "target"]])]
    floor = min_importance * largest[both.target_layer].to_numpy()
    important = np.isnan(floor) | (targets.importance.to_numpy() >= floor)
    both = both[(both.share >= min_share) & important]
    both["ratio"] = both.strength / both.strength_other
    both["order"] = both.ratio.fillna(np.inf)
    return both.sort_values(["order", "strength"], ascending=False)


@pytest.mark.slow
@pytest.mark.parametrize(("min_share", "min_importance"), [(0.05, 1e-6), (0.2, 0.3), (0.0, 0.0)])
def test_it_is_what_the_tables_say(
    runs: dict[str, Run], store: GraphStore, min_share: float, min_importance: float
) -> None:
    for against, other in ((None, BASE), (SECOND, SECOND)):
        graph = queries.open_graph(store, TRACE)
        limits = {"min_share": min_share, "min_importance": min_importance}
        found = graph.unusual(against=against, limit=1000, **limits).to_pandas()
        expected = truth(runs[TRACE], runs[other], **limits)
        assert len(expected) > 3
        assert (
            found["source"].tolist()
            == (TRACE + "/" + expected.source_layer + "/" + expected.source.astype(str)).tolist()
        )
        for name, column in (
            ("strength", "strength"), ("other_strength", "strength_other"), ("ratio", "ratio"),
            ("share", "share"), ("other_share", "share_other"),
        ):  # fmt: skip
            assert np.allclose(found[name], expected[column], equal_nan=True), name
        for limit in (1, 2):
            assert len(graph.unusual(against=against, limit=limit, **limits).frame) == limit


@pytest.mark.slow
def test_runs_that_cannot_be_compared(
    runs: dict[str, Run], store: GraphStore, tmp_path: Path
) -> None:
    with pytest.raises(
        UsageError, match=rf"is an average over data.* such as ({TRACE}|{SECOND}) \("
    ):
        queries.open_graph(store, BASE).unusual()
    with pytest.raises(UsageError, match="not two runs over the same features"):
        queries.open_graph(store, TRACE).unusual(against=TRACE)
    stranger = random_run(tmp_path / "stranger", seed=9, name="stranger")
    ingest.load(stranger, store)
    with pytest.raises(UsageError, match="not two runs over the same features"):
        queries.open_graph(store, TRACE).unusual(against="stranger")
    assert len(queries.open_graph(store, BASE).unusual(against=TRACE).frame)
    ingest.delete(BASE, store)
    with pytest.raises(NotFoundError, match=rf"Run '{BASE}' not found.*has its features"):
        queries.open_graph(store, TRACE).unusual()
    assert len(queries.open_graph(store, TRACE).unusual(against=SECOND).frame)


@pytest.mark.slow
def test_the_verb(
    runs: dict[str, Run], store: GraphStore, store_target: str, cli: Callable[..., Answer]
) -> None:
    arguments = ("unusual", "--store", store_target, "--run", TRACE, "-n", "4")
    expected = queries.open_graph(store, TRACE).unusual(limit=4)
    named = cli(*arguments, "--json")
    assert json.loads(named.out) == [{"run": TRACE, **row} for row in expected.records()]
    assert f"Run {TRACE} (" in named.err
    assert f"one input over the features of {BASE}" in named.err
    table = cli(*arguments).out.splitlines()
    assert table[0].split()[:5] == ["source", "target", "strength", "other_strength", "ratio"]
    assert len(table) == 5
    nothing = cli(*arguments, "--min-share", "1", "--min-importance", "1")
    assert "--min-share" in nothing.out or len(nothing.out.splitlines()) > 1
    listed = cli("runs", "--store", store_target).out
    assert BASE in listed.splitlines()[1]
    for option, says in (("--min-share", "The least share is 2"), ("-n", "")):
        answer = cli(*arguments, option, "2" if option == "--min-share" else "0")
        assert (answer.code, answer.out) == (2, "")
        assert says in answer.err
