"""Our numbers beside the published ones, on networks small enough to be run here."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

import ingest
from lib_graph.analysis import reproducing
from lib_graph.analysis.ablation import read_ablation
from lib_graph.analysis.published import (
    EDGES_REQUIRED,
    MODULARITY,
    REPOSITORY,
    SEEDS,
    published_bases,
)
from lib_graph.analysis.reproducing import BASES, Case, cases
from lib_graph.building.build import build
from lib_graph.building.options import Options
from lib_graph.errors import RunError, UsageError
from lib_graph.networks import load_subject
from lib_graph.run import Run
from lib_graph.run.ablations import ABLATION, KEPT, MASKS, TABLE
from lib_graph.run.kept import graph_of
from lib_graph.run.writing import write_rows
from lib_graph.support.progress import ConsoleProgress
from queries.comparing import reproduction
from queries.comparing.reproduction import COLUMNS, Reproduction
from queries.graph import open_graph
from queries.views.reproduction import reproduction_view
from tests.ablated import ablate
from tests.lib_graph.nets import CONFIG, transformer
from tests.queries.cli.test_outputs import same_rows
from tests.queries.conftest import Answer
from tests.synthetic import random_run

Cli = Callable[..., Answer]


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny network in the place of the shipped one."""
    folder = tmp_path / "tiny"
    save(folder, seed=0)
    monkeypatch.setattr(reproducing, "shipped_model", lambda: folder)
    return folder


def save(folder: Path, seed: int) -> None:
    folder.mkdir(exist_ok=True)
    state = {name: value.float() for name, value in transformer(seed).state_dict().items()}
    save_file(state, folder / "model.safetensors")
    (folder / "config.json").write_text(CONFIG.model_dump_json())


@pytest.mark.slow
def test_every_number_is_that_of_its_own_command_and_found_once(
    shipped: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    how = ("reproduce", "modular-addition", "--out", out, "--json", "-q")
    with monkeypatch.context() as patch:
        patch.setattr(reproducing, "ablate_edges", interrupted)
        assert cli(*how).code == 130
    built = out / "shipped-lib" / "features.parquet"
    made = built.stat().st_mtime_ns
    found = cli(*how)
    assert found.code == 0
    assert built.stat().st_mtime_ns == made
    assert REPOSITORY in found.err
    assert "--networks" in found.err
    check_numbers(json.loads(found.out), out)
    monkeypatch.setattr(reproducing, "ablate_edges", interrupted)
    assert cli(*how).out == found.out
    without_json = [argument for argument in how if argument not in ("--json", "-q")]
    assert same_rows(cli, without_json, tmp_path / "rows.parquet") == 14


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def check_numbers(records: list[dict[str, Any]], out: Path) -> None:
    rows = {(row["quantity"], row["basis"], row["layer"]): row for row in records}
    assert all(row[seed] is row["ours"] is None for row in records for seed in SEEDS)
    for basis in ("lib", "pca"):
        run = Run.open(out / f"shipped-{basis}")
        ablated = read_ablation(run)
        for row in ablated[ablated["kind"] == "edges_required"].itertuples():
            here = rows["edges required", basis, row.layer]
            assert here["shipped"] == row.edges
            assert here["published"] == pytest.approx(sum(EDGES_REQUIRED[basis][row.layer]) / 3)
        with open_graph(out / "lib-graph.kgl", run.manifest.name) as graph:
            modules = rows["modularity", basis, None]
            assert modules["shipped"] == graph.communities(weights="log").modularity
            assert modules["published"] == MODULARITY[basis]
        for layer in ("ln1.0", "ln2.0", "unembed"):
            features = run.features[run.features["layer"] == layer]
            purity = features.set_index("index")["label_score"].reindex(range(1, 9)).dropna()
            assert rows["purity", basis, layer]["shipped"] == pytest.approx(purity.mean())


@pytest.mark.slow
def test_another_run_in_the_folder_is_replaced_only_if_asked_for(
    shipped: Path, tmp_path: Path, cli: Cli
) -> None:
    folder = tmp_path / "out" / "shipped-lib"
    build(load_subject(shipped), folder, Options(basis="neuron"))
    how = ("reproduce", "modular-addition", "--out", tmp_path / "out", "-q")
    refused = cli(*how)
    assert refused.code == 4
    assert "differs in basis. Choose another --out, or --replace" in refused.err
    assert cli(*how, "--replace").code == 0
    assert Run.open(folder).manifest.basis == "lib"


def test_the_networks_of_a_folder(tmp_path: Path, shipped: Path, cli: Cli) -> None:
    for seed in SEEDS:
        shutil.copytree(shipped, tmp_path / "networks" / seed)
    file = tmp_path / "networks" / "seed1" / "reference-pca.safetensors"
    file.touch()
    found = cases(tmp_path / "networks")
    assert [case.name for case in found] == [
        "shipped-lib", "shipped-pca", "seed0-lib", "seed0-pca", "seed1-lib", "seed1-pca",
        "seed1-pca-published", "seed2-lib", "seed2-pca",
    ]  # fmt: skip
    assert found[6] == Case("seed1", file.parent, "pca", file)
    (tmp_path / "networks" / "seed2" / "config.json").unlink()
    with pytest.raises(UsageError, match=r"There is no seed2/config\.json in .*networks'\. Name"):
        cases(tmp_path / "networks")
    answer = cli("reproduce", "modular-addition", "--networks", tmp_path / "networks")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert cli("reproduce", "division").code == 2


@pytest.mark.slow
def test_a_network_in_the_place_of_a_published_one_is_told(
    shipped: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for network in ("seed1", reproducing.SHIPPED):
        reproducing.reproduced_run(
            Case(network, shipped, "pca"), tmp_path / network, progress=ConsoleProgress()
        )
    told = [line for line in capsys.readouterr().err.splitlines() if "published network" in line]
    assert told == ["seed1 is not the published network: its weights are others."]


def test_numbers_in_our_bases_and_in_the_published_ones_are_kept_apart(
    tmp_path: Path, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in SEEDS:
        shutil.copytree(shipped, tmp_path / seed)
        (tmp_path / seed / "reference-lib.safetensors").touch()
    (tmp_path / "seed2" / "reference-pca.safetensors").touch()
    quantity = {basis: reproduction.Quantity("modularity", basis, None) for basis in BASES}
    values = iter(range(100))
    found = {case.name: float(next(values)) for case in cases(tmp_path)}
    monkeypatch.setattr(reproduction, "reproduced_run", lambda case, *_, **__: case.name)
    monkeypatch.setattr(ingest, "load", lambda *_, **__: None)
    monkeypatch.setattr(
        reproduction, "_measured", lambda run, basis, _: [(quantity[basis], found[run])]
    )
    rows = reproduction.reproduce(tmp_path / "out", tmp_path).frame.query("quantity=='modularity'")
    for row in rows.to_dict("records"):
        own = [found[f"{seed}-{row['basis']}"] for seed in SEEDS]
        assert [row[seed] for seed in SEEDS] == own
        assert row["ours"] == sum(own) / 3
        assert row["shipped"] == found[f"shipped-{row['basis']}"]
    published = [found[f"{seed}-lib-published"] for seed in SEEDS]
    assert rows["recomputed"].iloc[0] == sum(published) / 3
    assert pd.isna(rows["recomputed"].iloc[1])  # of PCA two are missing


def test_only_ablations_of_the_run_itself_count(tmp_path: Path) -> None:
    """The folder may also have those of another basis, from 'ablate --against'."""
    run = random_run(tmp_path / "run")
    rows = ablate(run)
    rows = rows[(rows["kind"] == "edges_required") & (rows["run"] == run.id)]
    measured = reproduction._measured(run, "lib", tmp_path)
    found = [(quantity.layer, edges) for quantity, edges in islice(measured, len(rows))]
    assert found == list(zip(rows["layer"], rows["edges"], strict=True))


def test_a_run_is_ablated_when_all_its_sections_are(tmp_path: Path) -> None:
    run = random_run(tmp_path / "run")
    table, sections = ablate(run), [layer.name for layer in run.layers[:-1]]
    kept = [
        {"run": run.id, "source_layer": name, "source": 1, "target": 1, "strength": 1.0}
        for name in sections
    ]
    masks = pd.DataFrame(kept, columns=MASKS.names)
    assert not reproducing._ablated(run)
    write_rows(run.path / KEPT, MASKS, [masks[1:]], graph_of(run))
    assert not reproducing._ablated(run)
    write_rows(run.path / KEPT, MASKS, [masks], graph_of(run))
    assert reproducing._ablated(run)
    write_rows(run.path / KEPT, MASKS, [masks], {**graph_of(run), "interactions": "others"})
    assert not reproducing._ablated(run)
    write_rows(run.path / KEPT, MASKS, [masks], graph_of(run))
    required = table["kind"] == "edges_required"
    origin = {**graph_of(run), "metric": "accuracy"}
    for missing in (table[~required], table.assign(delta=0.01), table[table["run"] != run.id]):
        write_rows(run.path / TABLE, ABLATION, [missing], origin)
        assert not reproducing._ablated(run)


def test_a_section_that_needs_no_interaction_is_ablated_too(tmp_path: Path) -> None:
    run = random_run(tmp_path / "run")
    table = ablate(run)
    origin = {**graph_of(run), "metric": "accuracy"}
    write_rows(run.path / TABLE, ABLATION, [table.assign(edges=0)], origin)
    write_rows(run.path / KEPT, MASKS, [pd.DataFrame(columns=MASKS.names)], graph_of(run))
    assert reproducing._ablated(run)


def test_a_published_basis_is_without_what_is_folded_in(tmp_path: Path) -> None:
    drawn = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)).double()
    tensors = {}
    for layer in ("ln1.0", "ln2.0", "unembed"):
        tensors[f"{layer}.C"], tensors[f"{layer}.C_pinv"] = drawn.clone(), drawn.T.contiguous()
        tensors[f"{layer}.mean"] = torch.arange(5.0)
    tensors["ln2.0.Lambda"] = torch.arange(6.0)
    save_file(tensors, tmp_path / "reference.safetensors")
    found = published_bases(tmp_path / "reference.safetensors")
    assert list(found) == ["ln1.0", "ln2.0", "unembed"]
    assert torch.equal(found["ln1.0"].rotation, drawn[:4, 1:])
    assert torch.equal(found["ln1.0"].inverse, drawn.T[1:, :4])
    assert torch.equal(found["ln1.0"].mean, torch.arange(4.0))
    assert found["ln1.0"].importance is None
    assert torch.equal(found["ln2.0"].importance, torch.tensor([1.0, 2.0, 3.0]))


@pytest.mark.parametrize("tensors", [{}, {"ln1.0.C": torch.ones(5, 4)}, None])
def test_what_is_no_published_graph_is_an_error(tmp_path: Path, tensors: object) -> None:
    file = tmp_path / "reference.safetensors"
    file.write_text("no tensors") if tensors is None else save_file(tensors, file)
    with pytest.raises(RunError, match=r"cannot be read as a published graph .* leave it out\."):
        published_bases(file)


def test_the_table_shows_what_was_run_in_the_units_of_each_row() -> None:
    rows = [
        ("edges required", "lib", "ln1.0", 284 / 3, None, 94.0, 130.0, 81.0, 71.0, None),
        ("modularity", "lib", None, 0.264, None, 0.2575, 0.1, 0.2, 0.4725, None),
        ("purity", "lib", "ln1.0", 0.86, None, 0.855, 0.8, 0.9, 0.865, None),
    ]
    view = reproduction_view(Reproduction(pd.DataFrame(rows, columns=COLUMNS)))
    assert view.columns == ("quantity", "basis", "layer", "published", "ours", *SEEDS)
    assert view.rows == [
        ("edges required", "lib", "ln1.0", "94.7", "94", "130", "81", "71"),
        ("modularity", "lib", "", "0.264", "0.258", "0.100", "0.200", "0.472"),
        ("purity", "lib", "ln1.0", "86%", "86%", "80%", "90%", "86%"),
    ]
    assert "recomputed" not in view.below
