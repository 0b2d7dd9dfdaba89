"""The report of a run as one HTML page."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pandas as pd
import pytest

import ingest
import queries
from ingest.store import GraphStore
from lib_graph.run import Run
from lib_graph.run.examples import NAME, write_examples
from lib_graph.run.kept import graph_of
from queries.comparing.runs import open_graphs
from queries.comparing.sparsity import sparsity
from queries.report import Source, write_report
from queries.report.ablations import ablation_part
from queries.report.blocks import Facts, Grid, Missing, Words
from queries.report.features import features_part
from queries.report.flow import PER_SECTION, SIZE, interactions_part
from queries.report.run import layers_part, run_part
from queries.views.answers import short_id
from tests.ablated import ablate
from tests.queries.cli.test_reading import Cli
from tests.queries.pages import Page
from tests.synthetic import random_run

SECTIONS = [
    "run", "layers", "importances", "features", "interactions", "paths", "circuits", "ablation",
    "modules", "questions",
]  # fmt: skip
WIDTHS = (9, 8, 7, 4)
HOSTILE = "<script>alert(1)</script>"
OTHERS = ['"><img src=x onerror=alert(2)>', "]]>&amp;\x01\x0b", "文 $x_1$ -->"]
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b550000000a49444154789c6360000000020001e221bc330000000049454e44ae426082"
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return random_run(tmp_path / "run", WIDTHS)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run to which nothing has been added, with its report as page.html in its folder."""
    run = random_run(tmp_path_factory.mktemp("plain") / "run", WIDTHS)
    with open_graphs([str(run.path)]) as (graph,):
        write_report(Source(graph, run), run.path / "page.html")
    return run


@pytest.fixture(scope="module")
def page(plain: Run) -> Page:
    return Page((plain.path / "page.html").read_text(encoding="utf-8"))


def report(cli: Cli, folder: Path, *arguments: object) -> Page:
    out = folder / "page.html"
    answer = cli("report", *arguments, "--out", out, "-q")
    assert (answer.code, answer.out, answer.err) == (0, "", f"Wrote {out}.\n")
    return Page(out.read_text(encoding="utf-8"))


def give_examples(run: Run, *, text: str | None = "a «b» c", image: bytes | None = None) -> None:
    features = run.features[run.features["role"] == "feature"]
    frame = pd.DataFrame(
        [
            (run.id, layer, index, rank, 7, None, float(rank), f"{text} {rank}", image)
            for layer, index in zip(features["layer"], features["index"], strict=True)
            for rank in (1, 2, 3, 4, -1)
        ],
        columns=["run", "layer", "index", "rank", "sample", "position", "value", "text", "image"],
    ).astype({"position": "Int32"})
    if text is None:
        frame["text"] = None
    origin = graph_of(run, "run", "bases")
    write_examples(run.path / NAME, [rows for _, rows in frame.groupby("layer")], origin)


@pytest.mark.slow
def test_every_part_is_there_and_in_the_contents(page: Page) -> None:
    assert list(page.tables) == SECTIONS
    assert page.references[: len(SECTIONS)] == [f"#{name}" for name in SECTIONS]
    assert page.tags.count("svg") == 5
    assert len(page.ids) == len(set(page.ids))


@pytest.mark.slow
def test_the_page_needs_nothing_else(page: Page, plain: Run) -> None:
    inside = {f"#{name}" for name in page.ids}
    assert all(x in inside or x.startswith("data:image/png;base64,") for x in page.references)
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    assert not [name for name in page.attributes if name.startswith("on")]
    text = (plain.path / "page.html").read_text(encoding="utf-8")
    assert "@import" not in text
    assert {part.partition(")")[0] for part in text.split("url(")[1:]} <= inside
    assert "default-src 'none'" in text
    assert set(re.findall(r"(\S*)https?:", text)) <= {'xmlns="', 'xmlns:xlink="'}


@pytest.mark.slow
def test_numbers_are_those_of_the_queries(plain: Run, page: Page) -> None:
    with open_graphs([str(plain.path)]) as (graph,):
        for number, layer in enumerate(graph.layers[:-1]):
            every = graph.features(layer=layer.name, sort="importance").frame
            features, total = every.head(5), every["importance"].sum()
            rows = page.rows("features", number)
            assert [row["feature"] for row in rows] == features["index"].astype(str).tolist()
            assert [row["label"] for row in rows] == features["label"].tolist()
            for row, importance in zip(rows, features["importance"], strict=True):
                assert float(row["importance"]) == pytest.approx(importance, rel=1e-3)
                assert row["of the layer"] == f"{importance / total:.1%}"
        for number, section in enumerate(graph.sections()):
            strength = section.frame.loc[section.frame["share"].notna(), "strength"].to_numpy()
            expected = sparsity(strength, WIDTHS[number] * WIDTHS[number + 1])
            row = page.rows("interactions")[number]
            assert int(row["interactions"]) == len(strength)
            assert int(row["for 90 %"]) == expected.for_90
            assert float(row["Gini"]) == pytest.approx(expected.gini, abs=1e-3)
        strongest = graph.interactions(limit=10).frame
        shown = page.rows("interactions", 1)
        assert [float(row["strength"]) for row in shown] == pytest.approx(
            strongest["strength"].tolist(), rel=1e-3
        )
        paths = graph.paths(k=10).paths
        assert [float(row["strength"]) for row in page.rows("paths")] == pytest.approx(
            [path.strength for path in paths], rel=1e-3
        )
        communities = graph.communities()
        (quality,) = page.rows("modules")
        assert float(quality["Q"]) == pytest.approx(communities.modularity, abs=1e-3)
        sizes = [int(row["size"]) for row in page.rows("modules", 1)]
        assert sizes == [each.size for each in communities.communities if each.size > 1]
        assert f"What leads to {paths[0].path[-1].partition('/')[2]}," in page.texts["circuits"]
    assert [row["layer"] for row in page.rows("layers")] == [layer.name for layer in plain.layers]
    assert [int(row["width"]) for row in page.rows("layers")] == list(WIDTHS)
    assert plain.id in page.texts["run"]


def test_the_most_important_features_come_first(run: Run) -> None:
    with open_graphs([str(run.path)]) as (graph,):
        graph.write_cypher(
            "MATCH (f:Feature {run: $run}) WHERE f.index = 6 SET f.importance = 1e9 + f.index"
        )
        grids = features_part(Source(graph, run)).blocks[:3]
    for grid in grids:
        assert isinstance(grid, Grid)
        assert [row[0] for row in grid.view.rows] == ["6", "1", "2", "3", "4"]
        assert grid.view.rows[0][2] == "100.0%"


@pytest.mark.slow
def test_what_was_not_made_is_named_with_its_command(plain: Run, page: Page) -> None:
    assert f"lib-graph examples {plain.path}" in page.commands["features"]
    assert {f"lib-graph ablate {plain.path} {x}" for x in ("nodes", "edges")} <= set(
        page.commands["ablation"]
    )
    assert f"lib-graph report {plain.path} --store lib-graph.kgl" in page.commands["circuits"]
    assert f"lib-graph degeneracy {plain.path}" in page.commands["layers"]
    assert page.tables["ablation"] == page.tables["circuits"] == []


@pytest.mark.slow
def test_ablations_and_examples_of_the_folder_are_shown(run: Run, cli: Cli, tmp_path: Path) -> None:
    rows = ablate(run, metric="cross-entropy")
    give_examples(run, image=PIXEL)
    page = report(cli, tmp_path, run.path)
    required, shown = rows[rows["kind"] == "edges_required"], page.rows("ablation")
    assert sorted((row["layer"], row["basis"], row["edges"]) for row in shown) == sorted(
        zip(required["layer"], required["basis"], required["edges"].astype(str), strict=True)
    )
    assert all(float(row["score"]) == 0.26 for row in shown)
    assert [len(table) - 1 for table in page.tables["ablation"]] == [
        (rows["kind"] == kind).sum()
        for kind in ("edges_required", "circuit", "node_curve", "edge_curve")
    ]
    assert "cross-entropy" in page.texts["ablation"]
    assert page.tags.count("svg") == 6
    (first, *_) = page.rows("features")
    assert first["largest on"] == "a «b» c 1a «b» c 2a «b» c 3"
    assert first["most negative on"] == "a «b» c -1"
    assert page.tags.count("img") == 3 * 5 * 3


@pytest.mark.slow
def test_examples_without_text_are_named_by_their_number(run: Run) -> None:
    give_examples(run, text=None)
    with open_graphs([str(run.path)]) as (graph,):
        grid = features_part(Source(graph, run)).blocks[0]
    assert isinstance(grid, Grid)
    ends = dict(zip(grid.view.columns, grid.view.rows[0], strict=True))
    assert ends["largest on"].splitlines() == ["sample 7"] * 3
    assert ends["most negative on"] == "sample 7"


@pytest.mark.slow
def test_texts_of_data_are_escaped(run: Run, cli: Cli, tmp_path: Path) -> None:
    labels = [HOSTILE, *OTHERS]
    for layer in run.layers:
        for index in range(layer.first_index, layer.features + layer.first_index):
            run.label(layer.name, index, labels[index % len(labels)])
    give_examples(run, text=HOSTILE)
    page = report(cli, tmp_path, run.path)
    assert not {"script", "img"} & set(page.tags)
    assert "onerror" not in page.attributes
    for section in ("features", "interactions", "circuits"):
        assert HOSTILE[:20] in page.texts[section]
    assert [row["largest on"] for row in page.rows("features")] == [
        f"{HOSTILE} 1{HOSTILE} 2{HOSTILE} 3"
    ] * 5


@pytest.mark.slow
def test_a_store_has_the_saved_circuits(
    run: Run, store: GraphStore, store_target: str, cli: Cli, tmp_path: Path
) -> None:
    ingest.load(run, store)
    with queries.open_graph(store) as graph:
        circuit = graph.circuit_of(graph.paths(k=3))
        graph.circuits.save(circuit, "of three")
        tested = graph.circuit(target="layer/3/1")
        graph.circuits.save(tested, "to <one>")
    store.write(
        "MATCH (c:Circuit {name: 'to <one>'}) "
        "SET c.score = 0.5, c.baseline = 0.75, c.random_score = 0.125, c.metric = 'accuracy'"
    )
    by_name = report(cli, tmp_path, run.manifest.name, "--store", store_target)
    assert "lib-graph examples RUN" in by_name.commands["features"]
    give_examples(run)
    both = report(cli, tmp_path, run.path, "--store", store_target)
    assert both.rows("features")[0]["most negative on"] == "a «b» c -1"
    for page in (by_name, both):
        first, second = page.rows("circuits")
        numbers = ("name", "features", "interactions", "score", "baseline", "random_score")
        size = str(len(circuit.features)), str(len(circuit))
        assert tuple(first.values()) == ("of three", *size, "", "", "", "")
        assert set(first) == {*numbers, "metric"}
        assert [second[name] for name in numbers[3:]] == ["0.5", "0.75", "0.125"]
        assert "accuracy 0.5 (whole network 0.75" in page.texts["circuits"]
        assert page.tags.count("svg") == 7


@pytest.mark.slow
def test_the_same_run_gives_the_same_bytes_in_place_of_the_old(
    run: Run, cli: Cli, tmp_path: Path
) -> None:
    ablate(run)
    report(cli, tmp_path, run.path)
    first = (tmp_path / "page.html").read_bytes()
    (tmp_path / "page.html").write_text("old")
    report(cli, tmp_path, run.path)
    assert (tmp_path / "page.html").read_bytes() == first


def test_a_run_of_one_input_says_whose_features_it_has(tmp_path: Path) -> None:
    run = random_run(tmp_path / "trace", base="0123456789ab")
    with open_graphs([str(run.path)]) as (graph,):
        source = Source(graph, run)
        facts = run_part(source).blocks[0]
        words = features_part(source).blocks[-1]
        (ablated,) = ablation_part(source).blocks
        layers = layers_part(source).blocks
        commands = interactions_part(source).commands
    assert isinstance(facts, Facts)
    assert dict(facts.rows)["one input"] == "of run 0123456789ab, over the same features"
    assert words == Words("Examples are those of run 0123456789ab, whose features these are.")
    assert ablated == Words("One input is not ablated: the features are those of run 0123456789ab.")
    assert not [block for block in layers if isinstance(block, Missing)]
    assert commands[-1] == f"lib-graph unusual --run {run.id}"


@pytest.mark.slow
def test_two_layers_have_no_maps(cli: Cli, tmp_path: Path) -> None:
    random_run(tmp_path / "two", (3, 2))
    page = report(cli, tmp_path, tmp_path / "two")
    assert "nothing to draw" in page.texts["modules"]
    assert list(page.tables) == SECTIONS


@pytest.mark.slow
def test_a_deep_network_has_a_circuit_through_all_its_layers(cli: Cli, tmp_path: Path) -> None:
    run = random_run(tmp_path / "deep", (2,) * (SIZE + 5), density=1.0)
    page = report(cli, tmp_path, run.path)
    size = PER_SECTION * (SIZE + 4)
    assert f"--size {size} --save grown" in page.texts["circuits"]
    with open_graphs([str(run.path)]) as (graph,):
        end = graph.paths(k=1).paths[0].path[-1]
        grown = graph.grow_circuit(target=short_id(end), size=size)
    assert len(grown) == size
    assert f"circuit of {size} interactions" in page.texts["circuits"]


@pytest.mark.slow
def test_the_commands_are_the_ones_to_type(
    run: Run, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ablate(run)
    store = tmp_path / "a store.kgl"
    monkeypatch.chdir(tmp_path)
    ingest.load(run, store)
    page = report(cli, tmp_path, "run", "--store", store)
    typed = [line for lines in page.commands.values() for line in lines]
    on_the_network = ("degeneracy", "examples", "ablate")
    typed = [line for line in typed if "LAYER/INDEX" not in line]
    typed = [line for line in typed if shlex.split(line)[1] not in on_the_network]
    assert len(typed) >= 15
    for line in typed:
        name, *arguments = shlex.split(line)
        assert name == "lib-graph"
        if arguments == ["runs"]:
            arguments += ["--store", str(store)]
        answer = cli(*arguments)
        assert answer.code == 0, (line, answer.err)
    assert (tmp_path / "strengths.svg").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere"], 2, "no run folder 'nowhere'. run 'nowhere' not found"),
        (["empty"], 1, "has no manifest.json"),
        (["run", "--out", "empty"], 2, "is a directory"),
        (["run", "--store", "other.kgl"], 2, "not found"),
    ],
)
def test_bad_input_is_one_line(
    run: Run,
    cli: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    (tmp_path / "empty").mkdir()
    ingest.load(random_run(tmp_path / "another", (2, 2), seed=5), tmp_path / "other.kgl")
    ingest.load(run, tmp_path / "lib-graph.kgl")
    monkeypatch.chdir(tmp_path)
    answer = cli("report", *arguments)
    assert (answer.code, answer.out) == (code, "")
    assert message.lower() in answer.err.lower()
    assert answer.err.strip().count("\n") <= 3
    assert not (tmp_path / "report.html").exists()


@pytest.mark.slow
def test_damaged_examples_leave_no_page(run: Run, cli: Cli, tmp_path: Path) -> None:
    (run.path / NAME).write_bytes(b"nonsense")
    answer = cli("report", run.path, "--out", tmp_path / "page.html")
    assert (answer.code, "damaged" in answer.err) == (1, True)
    assert not (tmp_path / "page.html").exists()
