"""The page that answers whether LIB helps on language models says what the command wrote."""

import json
import re
from copy import deepcopy
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from lib_graph.analysis.measuring.study import cross_entropy, language_model
from lib_graph.data.text import Text
from queries.comparing.study_tables import Study
from queries.pictures.study import PICTURES
from queries.views.study import study_tables
from tests.data import reference_data

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "language-models-results.md").read_text(encoding="utf-8")
FOLDER = DOCS / "language-models-results"
STUDY = Study.of_json(json.loads((FOLDER / "results.json").read_text(encoding="utf-8")))
WITHOUT_MARK = json.loads((FOLDER / "without-mark.json").read_text(encoding="utf-8"))
SECOND, THIRD = (
    Study.of_json(json.loads((FOLDER / name / "results.json").read_text(encoding="utf-8")))
    for name in ("stories260k", "smollm2")
)
DICTIONARIES = ("dictionary-4", "dictionary-8")
TABLES = {
    f"{name}: {title}": table
    for name, study in (("neo", STUDY), ("stories", SECOND), ("smollm2", THIRD))
    for title, table in study_tables(study).items()
}


@pytest.mark.parametrize("title", TABLES)
def test_each_table_of_the_page_is_that_of_the_results(title):
    assert TABLES[title] in PAGE


def test_the_page_has_no_other_table():
    rows = sum(line.startswith("|") for line in PAGE.splitlines())
    assert rows == sum(len(table.splitlines()) for table in TABLES.values())


def test_the_pictures_are_there():
    for name in PICTURES:
        for place in (f"{name}.svg", f"stories260k/{name}.svg", f"smollm2/{name}.svg"):
            asked = not place.startswith("smollm2") or name in ("sparsity", "probes")
            assert (f"(language-models-results/{place})" in PAGE) == asked
            assert (FOLDER / place).is_file() == asked
            assert not asked or "<path" in (FOLDER / place).read_text(encoding="utf-8")


def derived():
    """Numbers of the text that the results give, if not as a cell of a table."""
    every = STUDY.required.query("kind == 'all' and delta == 0.01").set_index("basis")
    levels = STUDY.sparsity.query("measure == 'for_90' and how == 'exact'").set_index("basis")
    probed = STUDY.contrasts.query("measure == 'gini' and basis == 'random 0'").set_index("how")
    return {
        f"{every['edges']['lib'] / every['edges']['pca']:.3f}",
        f"{every['edges']['pca'] / every['pairs']['lib']:.1%}"[:-1],
        f"{levels['value']['lib'] / levels['value']['pca']:.2f}",
        f"{-probed['value']['exact']:.3f}",
        f"{WITHOUT_MARK['score']:.3f}",
    }


def prose(text):
    """The text without tables, commands and links' addresses."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return re.sub(r"\]\([^)]*\)", "]", "\n".join(x for x in text.splitlines() if x[:1] != "|"))


def test_numbers_of_the_text_are_those_of_the_results():
    """Those in bold, and all with decimals, on the page and where other pages repeat them."""
    cells = set(re.findall(r"\d+(?:\.\d+)?", "\n".join(TABLES.values())))
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    section = readme.split("## What LIB is good for")[1].split("\n## ")[0]
    page = prose(PAGE)
    other = (DOCS / "language-models.md").read_text(encoding="utf-8")
    repeated = other.split("on the same 40 × 63 tokens")[1].split("\n\n")[0]
    for text, least in ((page, 25), (prose(section), 8), (repeated, 2)):
        numbers = re.findall(r"\d+\.\d+", text)
        assert len(numbers) >= least
        assert set(numbers) <= cells | derived()
        assert set(re.findall(r"\*\*-?(\d+(?:\.\d+)?)\*\*", text)) <= cells


def beside_chance(study):
    """Return by how many deviations Q is above the mean of graphs without modules, by row."""
    rows = study.modules.set_index(["basis", "weights"])
    assert set(rows["null"]) == {20}
    return (rows["modularity"] - rows["null_mean"]) / rows["null_sd"]


def test_modularity_is_nowhere_above_that_of_graphs_without_modules():
    beside = beside_chance(STUDY)
    assert (beside < 1).all()
    for basis in ("pca", "lib"):
        assert (beside[basis] < 0).all()
        assert -2.5 < beside[basis, "sqrt"] < -2


def test_modules_follow_heads_and_positions_as_faintly_as_the_text_says():
    rows = pd.concat([STUDY.agreement, SECOND.agreement])
    more = rows["ari"] - rows["shuffled_mean"]
    assert (more < 0.01).all()
    turns = rows["basis"].str.startswith("random")
    above = more > 2 * rows["shuffled_sd"]
    assert (above[~turns].sum(), (~turns).sum(), above[turns].sum()) == (7, 16, 0)


def test_the_first_network_needs_what_the_text_says():
    shares = STUDY.required[STUDY.required["kind"] == "all"].pivot_table(
        index="delta", columns="basis", values="share"
    )
    assert (shares["lib"] < shares["pca"]).all()
    assert (shares["pca"] - shares["lib"]).idxmax() == 0.01
    rows = STUDY.required.query("kind == 'all' and delta == 0.01")
    turns = rows[rows["basis"].str.startswith("random")]
    assert ((turns["pairs"] - turns["edges"]) < 400).all()
    for _, alone in STUDY.required[STUDY.required["kind"] == "section"].groupby("delta"):
        by = alone.pivot_table(index="layer", columns="basis", values="share")
        assert (by["lib"] > by["pca"]).any()
        assert (by["lib"] < by["pca"]).any()


def test_seeds_differ_as_little_as_the_text_says():
    for study in (STUDY, SECOND):
        rows = study.seeds[study.seeds["measure"].isin(["effective", "sources", "auc"])]
        share = rows["deviation"] / rows["mean"].abs()
        assert (share[rows["measure"] == "sources"] < 0.05).all()
        kind = rows["basis"].str.startswith("dictionary")
        assert (share[kind & (rows["measure"] == "effective")] < 0.25).all()


def ratios(study, kind, basis):
    """Sources in effect of dictionaries of a kind by those of a basis, of all seeds."""
    own = study.rebuilt["dictionary"].str.startswith(kind) & (study.rebuilt["basis"] == basis)
    found = study.rebuilt[own]["ratio"]
    assert len(found) == 3
    return found


def spanned(values):
    return f"**{values.min():.3g}** to **{values.max():.3g}**"


def test_dictionaries_are_denser_where_they_rebuild_as_much_as_the_text_says():
    for kind in DICTIONARIES:
        for basis in ("pca", "lib", "random 0"):
            assert spanned(ratios(STUDY, kind, basis)) in " ".join(PAGE.split())
        assert (ratios(STUDY, kind, "pca") > 1.5).all()
    beside = STUDY.rebuilt[STUDY.rebuilt["basis"] != STUDY.rebuilt["dictionary"]]
    assert (beside["low"] > beside["ratio"]).all()


def test_fewer_rows_show_hardly_fewer_sources_as_the_text_says():
    for study in (STUDY, SECOND):
        rows = study.rebuilt[study.rebuilt["basis"] != study.rebuilt["dictionary"]]
        assert (rows["sources"] / rows["sources_of_all"]).between(0.98, 1).all()


def test_all_edges_of_a_dictionary_do_not_keep_the_score():
    for study in (STUDY, SECOND):
        rows = study.spliced
        assert spanned_scores(rows["all"]) in " ".join(PAGE.split())
        assert (rows["all"] > 1.2 * rows["baseline"]).all()


def spanned_scores(values):
    return f"**{values.min():.3f}** to **{values.max():.3f}**"


def test_the_second_network_says_what_the_text_says_of_it():
    assert (beside_chance(SECOND).abs() < 2).all()
    for kind in DICTIONARIES:
        for basis in ("pca", "lib"):
            assert spanned(ratios(SECOND, kind, basis)) in " ".join(PAGE.split())
    beside = SECOND.rebuilt[SECOND.rebuilt["basis"].isin(["pca", "lib"])]
    assert len(beside) == 12
    assert beside["ratio"].between(0.9, 1.1).all()
    assert (beside["high"] > 1.2).all()
    assert (beside["low"] > 0.97).all()
    every = SECOND.required.query("kind == 'all' and delta == 0.1").set_index("basis")["share"]
    turns = every[every.index.str.startswith("random")]
    assert (turns > every["pca"]).all()
    assert (turns - every["pca"] < 0.03).all()


def test_the_third_network_says_what_the_text_says_of_it():
    rows = THIRD.contrasts[THIRD.contrasts["basis"] == "lib"].set_index(["measure", "how"])
    for how in ("exact", "probed"):
        assert rows["high"]["sources", how] < 1
    assert rows["least"]["sources", "exact"] < 1 < rows["most"]["sources", "exact"]
    assert rows["low"]["effective", "exact"] > 1
    assert rows["high"]["auc", "exact"] < 0
    levels = THIRD.sparsity[THIRD.sparsity["measure"] == "for_99"].set_index(["basis", "how"])
    assert (levels["value"].loc[["pca", "lib"]] < 0.05 * 128**2).all()
    (asked,) = THIRD.scores.to_dict("records")
    assert (asked["features"], asked["samples"], asked["rows"], asked["sections"]) == (
        128,
        8,
        90,
        8,
    )
    assert asked["left_out"] != "nothing"


def test_the_intervals_that_lie_beside_their_value_are_those_that_the_page_names():
    shown = STUDY.contrasts[STUDY.contrasts["measure"].isin(["for_90", "effective", "sources",
                                                             "gini", "auc"])]  # fmt: skip
    beside = shown[~shown["value"].between(shown["low"], shown["high"])]
    assert beside[["basis", "measure", "how"]].to_numpy().tolist() == [
        *(["random " + seed, "gini", "probed"] for seed in "012"),
        *([f"{kind} {seed}", "sources", "exact"] for kind in DICTIONARIES for seed in "012"),
    ]
    turns = beside[beside["how"] == "probed"]
    assert turns["low"].iloc[0] < exact_gini_of_the_turn() < turns["high"].iloc[0]
    dictionaries = beside[beside["how"] == "exact"]
    assert (dictionaries["low"] > dictionaries["value"]).all()
    words = STUDY.predicted
    above = words["low"] > words["value"]
    assert set(words[above]["measure"]) == {"tokens"}
    assert (words["measure"] == "tokens").equals(above)


def exact_gini_of_the_turn():
    return STUDY.contrasts.query("measure == 'gini' and basis == 'random 0' and how == 'exact'")[
        "value"
    ].item()


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """The network on the rows of the page, with the mark and without."""
    folder = tmp_path_factory.mktemp("rows")
    network = DOCS.parent / "examples" / "gpt-neo-8x64"
    stories = reference_data("tinystories/stories.txt").read_text(encoding="utf-8")
    tokenizer = Tokenizer.from_file(str(network / "tokenizer.json"))
    ids = tokenizer.encode(stories, add_special_tokens=False).ids
    rows = torch.tensor(ids[-40 * 63 :]).view(40, 63)
    save_file(
        {"tokens": torch.nn.functional.pad(rows, (1, 0), value=1)}, folder / "with.safetensors"
    )
    save_file({"tokens": rows}, folder / "without.safetensors")
    return [
        language_model(str(network), Text(folder / f"{name}.safetensors", length, 40 * length))
        for name, length in (("with", 64), ("without", 63))
    ]


def by_row(subject):
    """Mean cross-entropy of the next token in each row."""
    tokens, module = subject.inputs[0], deepcopy(subject.module).double()
    with torch.no_grad():
        chances = module(tokens)[:, :-1].log_softmax(-1)
    return -chances.gather(-1, tokens[:, 1:, None])[..., 0].mean(1)


@pytest.mark.slow
def test_the_network_scores_what_the_page_says(texts):
    whole = STUDY.scores.to_dict("records")[0]
    for subject, said in zip(texts, (whole, WITHOUT_MARK), strict=True):
        rows, found = by_row(subject), cross_entropy(subject)
        assert found == pytest.approx({name: said[name] for name in found}, rel=1e-6)
        assert found["score"] == pytest.approx(rows.mean().item())
        assert found["error"] == pytest.approx(rows.std().item() / 40**0.5)
    masked = by_row(texts[0])[[0, 6, 13, 20, 26, 32, 39]].mean().item()
    assert masked == pytest.approx(STUDY.required["baseline"][0], abs=1e-4)
