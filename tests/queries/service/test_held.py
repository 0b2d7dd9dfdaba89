"""What a service keeps is of the store as it is, whoever has changed it."""

from __future__ import annotations

from pathlib import Path

import ingest
import queries
from ingest.store import open_store
from queries.service.held import Served
from tests.synthetic import random_run


def test_modules_have_the_labels_that_another_process_gave(tmp_path: Path) -> None:
    run, file = random_run(tmp_path / "run", (6, 5, 4), seed=3), str(tmp_path / "graph.kgl")
    ingest.load(run, file)
    with Served(file) as served:
        first = served.communities(served.graph())
        assert served.communities(served.graph()) is first
        with open_store(file) as store, queries.open_graph(store) as graph:
            graph.label("layer/1/2", "of another")
        labels = served.communities(served.graph()).to_pandas()["labels"]
        assert "of another" in [label for each in labels for label in each]
