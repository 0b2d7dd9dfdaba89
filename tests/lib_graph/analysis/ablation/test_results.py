"""The results in a run folder: they add up, and are of one graph."""

from dataclasses import replace

import pytest
import torch

from lib_graph.analysis.ablation import (
    Bench,
    ablate_circuit,
    ablate_edges,
    ablate_nodes,
    check_ablation,
    read_ablation,
    smallest_kept,
    write_ablation,
    write_masks,
)
from lib_graph.errors import ConflictError, RunError
from tests.lib_graph.analysis.ablation.benches import only, scored, whole


@pytest.mark.slow
def test_results_add_up_in_the_run_folder(transformer):
    run = transformer.run
    for name in ("ablation.parquet", "masks.parquet"):
        (run.path / name).unlink(missing_ok=True)
    with pytest.raises(RunError, match=r"has no ablations"):
        read_ablation(run)
    assert smallest_kept(run) == {}
    nodes = ablate_nodes(transformer, counts=[2])
    found = ablate_edges(transformer, delta=0.05)
    for rows in (nodes, found.rows, ablate_nodes(transformer, layers=["ln2.0"], counts=[3])):
        write_ablation(transformer, rows)
    write_masks(transformer, found.masks)
    table = read_ablation(run)
    assert len(table) == len(nodes) + len(found.rows)
    curve = table[table["kind"] == "node_curve"].set_index("layer")["nodes"]
    assert curve.to_dict() == {"ln1.0": 2, "unembed": 2, "ln2.0": 3}
    least = smallest_kept(run)
    for layer, n in found.required.items():
        own = run.interactions.query("source_layer == @layer and source > 0")["strength"]
        assert least[layer] == own.sort_values(ascending=False).iloc[n - 1]
    other = Bench.of(run, subject=scored(), metric="accuracy", dtype=torch.float64)
    for masks in (False, True):
        check_ablation(transformer, masks=masks)
        check_ablation(other, masks=masks, replace=True)
        with pytest.raises(ConflictError, match="they differ in metric"):
            check_ablation(other, masks=masks)  # before anything is scored
    rows = ablate_nodes(other, counts=[1])
    with pytest.raises(ConflictError, match="they differ in metric"):
        write_ablation(other, rows)
    write_ablation(other, rows, replace=True)
    assert len(read_ablation(run)) == 3


@pytest.mark.slow
def test_circuits_of_all_sizes_stand_side_by_side(transformer):
    bench, circuit = transformer, whole(transformer)
    write_ablation(bench, ablate_nodes(bench, counts=[1]), replace=True)
    for part in (circuit, only(circuit, circuit.interactions[::2])) * 2:
        write_ablation(bench, ablate_circuit(bench, part).row(bench))
    table = read_ablation(bench.run)
    assert table["kind"].tolist() == ["node_curve"] * 3 + ["circuit"] * 2
    assert table["layer"].isna().tolist() == [False] * 3 + [True] * 2


@pytest.mark.slow
def test_results_of_another_graph_are_refused(transformer):
    write_ablation(transformer, ablate_nodes(transformer, counts=[1]), replace=True)
    changed = transformer.run.manifest.model_copy(update={"run_id": "0" * 12})
    with pytest.raises(RunError, match="of another build than that of run 000000000000"):
        read_ablation(replace(transformer.run, manifest=changed))
