"""What Run and Layer nodes say lies with the columns, and answers without the graph."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

import ingest
from ingest.store import open_store
from queries.asking.reader import Reader
from queries.asking.statements import read_text
from tests.ablated import ablate
from tests.synthetic import random_run

LEAST = "MATCH (l:Layer {run: $run, index: 1}) SET l.smallest_kept = 0.5"


def test_what_ablations_found_is_in_them(tmp_path: Path) -> None:
    """And is asked of the graph where an older lib-graph has kept the run."""
    run, file = random_run(tmp_path / "run", (3, 4, 2), seed=1), tmp_path / "graph.kgl"
    ingest.load(run, file)
    ablate(run)
    assert ingest.load(run, file).outcome == "updated"
    texts = [read_text(name) for name in ("run_ablations", "smallest_kept", "run_manifest")]
    with open_store(file) as store:
        store.transact(lambda transaction: transaction.execute(LEAST, {"run": run.id}))
        kept = store.columns()
        assert kept is not None
        one = kept.run(run.id)
        assert one is not None
        assert one.said is not None
        assert one.said["smallest_kept"] == [[1, 0.5]]
        assert "edges_required" in one.said["ablations"]
        found = [Reader(store, run.id).rows(text) for text in texts]
        assert found == [store.execute(text, {"run": run.id}) for text in texts]
    path = kept.folder / kept.files[run.id]["features"]
    pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)
    with open_store(file) as store:
        older = Reader(store, run.id).columns()
        assert older is not None
        assert older.said is None
        assert found == [Reader(store, run.id).rows(text) for text in texts]
