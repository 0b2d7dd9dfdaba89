"""Matches of two runs as they lie in a run folder, and how good they are."""

import numpy as np
import pytest

from lib_graph.errors import RunError
from lib_graph.run.matches import all_matches, matches_path, matches_summary, write_matches
from tests.synthetic import random_matches, random_run


@pytest.fixture
def runs(tmp_path):
    return [random_run(tmp_path / str(seed), (9, 7, 3), seed=seed) for seed in range(3)]


def test_those_with_every_other_run_come_back(runs):
    run, *others = runs
    written = {other.id: random_matches(run, other, seed) for seed, other in enumerate(others)}
    found = {matches.beside(run.id): matches for matches in all_matches(run)}
    assert set(found) == set(written)
    for other in others:
        matches = found[other.id]
        assert matches.beside(other.id) == run.id
        assert matches.bases == {x.id: x.manifest.files["bases.safetensors"] for x in (run, other)}
        columns = ["layer", "index", "other_index", "correlation", "rank", "other_rank"]
        for name in columns:
            assert matches.frame[name].tolist() == written[other.id][name].tolist()
    assert len(list(all_matches(others[0]))) == 1


def test_those_of_another_build_are_refused(runs):
    run, other, _ = runs
    frame = random_matches(run, other)
    origin = {"run": run.id, "other": other.id, "bases": {run.id: "0" * 64}, "count": 3}
    write_matches(matches_path(run.path, run.id, other.id), frame, origin)
    with pytest.raises(RunError, match="another build"):
        list(all_matches(run))


def test_how_good_they_are_is_counted_feature_by_feature(runs):
    run, other, _ = runs
    frame = random_matches(run, other)
    frame.loc[frame["correlation"].abs() > 0.8, "correlation"] *= 1.2
    rows = matches_summary(frame).to_dict("records")
    assert len(rows) == 2 * 3
    for row in rows:
        here = frame[frame["layer"] == row["layer"]]
        end, rank = ("index", "rank") if row["run"] == run.id else ("other_index", "other_rank")
        best = {x[end]: abs(x["correlation"]) for x in here.to_dict("records") if x[rank] == 1}
        assert row["features"] == len(best)
        assert row["median"] == pytest.approx(np.median(list(best.values())))
        assert row["above_09"] == sum(size > 0.9 for size in best.values()) / len(best)
        pairs = [x for x in here.to_dict("records") if x["rank"] == x["other_rank"] == 1]
        assert row["mutual"] == len(pairs)
    assert 0 < sum(row["above_09"] for row in rows) < 6
