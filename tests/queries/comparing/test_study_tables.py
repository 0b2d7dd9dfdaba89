"""What two bases differ by, of draws by hand."""

import numpy as np
import pandas as pd
import pytest

from lib_graph.analysis.measuring.resampling import MEASURES
from queries.comparing.study_tables import Study, contrast_rows, level_rows, seed_rows
from queries.views.study import study_tables
from queries.views.study_summary import summary_view


def answers(measure, draws, order):
    """Values of two layers, a draw each, in some order of the draws."""
    rows = [
        {"layer": layer, "measure": measure, "how": "exact", "draw": draw, "value": value}
        for draw in order
        for layer, value in zip("xy", draws[draw], strict=True)
    ]
    return pd.DataFrame(rows)


def test_a_ratio_is_of_the_same_draws_and_its_interval_turned_about_it():
    """ln₂ of the ratios: (1, −1), (1, 3) and (0, 2), so 0 of the data, and draws of 2 and 1."""
    base = answers("sources", [(1, 4), (1, 1), (4, 1)], (0, 1, 2))
    own = answers("sources", [(2, 2), (2, 8), (4, 4)], (2, 0, 1))
    (row,) = contrast_rows("n", {"pca": base, "lib": own}, "pca").to_dict("records")
    assert (row["basis"], row["as"], row["least"], row["most"]) == ("lib", "ratio", 0.5, 2.0)
    assert row["value"] == pytest.approx(1.0)
    assert row["low"] == pytest.approx(2.0**-1.975)
    assert row["high"] == pytest.approx(2.0**-1.025)


@pytest.mark.parametrize("measure", ["gini", "hoyer", "auc"])
def test_a_difference_is_of_the_same_draws(measure):
    """Means of the differences: 0.2 of the data, and draws of 0.1 and 0.4."""
    base = answers(measure, [(0.4, 0.4), (0.5, 0.7), (0.2, 0.2)], (0, 1, 2))
    own = answers(measure, [(0.5, 0.7), (0.9, 0.5), (0.6, 0.6)], (1, 2, 0))
    (row,) = contrast_rows("n", {"pca": base, "lib": own}, "pca").to_dict("records")
    assert row["as"] == "difference"
    found = [row[name] for name in ("value", "low", "high", "least", "most")]
    assert found == pytest.approx([0.2, 0.4 - 0.3925, 0.4 - 0.1075, 0.1, 0.3])


def test_a_level_has_an_interval_where_there_are_draws():
    """Means over layers: 3 of the data, and draws of 2 and 6: 6 − 5.9 to 6 − 2.1."""
    drawn = answers("sources", [(2, 4), (1, 3), (8, 4)], (0, 1, 2))
    alone = answers("error", [(1, 2)], (0,))
    (row, other) = level_rows("n", {"lib": pd.concat([drawn, alone])}).to_dict("records")
    assert [row[name] for name in ("value", "low", "high")] == pytest.approx([3, 0.1, 3.9])
    assert other["value"] == 1.5
    assert pd.isna(other["low"])


def test_what_follows_from_a_seed_has_a_deviation_over_seeds():
    contrasts = pd.DataFrame(
        [("n", "lib", "sources", "exact", 7.0), ("n", "random 0", "sources", "exact", 1.0),
         ("n", "random 1", "sources", "exact", 4.0), ("n", "random 1", "sources", "probed", 9.0),
         ("n", "dictionary-4 0", "sources", "exact", 5.0)],
        columns=["network", "basis", "measure", "how", "value"],
    )  # fmt: skip
    required = pd.DataFrame(
        [("n", f"random {seed}", delta, kind, share)
         for seed, delta, kind, share in ((0, 0.01, "all", 0.5), (1, 0.01, "all", 0.7),
                                          (0, 0.1, "all", 0.2), (1, 0.1, "section", 0.9))],
        columns=["network", "basis", "delta", "kind", "share"],
    )  # fmt: skip
    modules = pd.DataFrame(
        [("n", f"random {seed}", "log", 0.5, null) for seed, null in ((0, 0.4), (1, 0.2))],
        columns=["network", "basis", "weights", "modularity", "null_mean"],
    )
    rows = seed_rows(contrasts, required, modules)
    assert rows[["basis", "measure", "seeds"]].to_numpy().tolist() == [
        ["random", "sources", 2], ["random", "required 0.01", 2], ["random", "Q log", 2]
    ]  # fmt: skip
    assert rows["mean"].tolist() == pytest.approx([2.5, 0.6, 0.2])
    deviations = [3 / 2**0.5, 0.2 / 2**0.5, 0.2 / 2**0.5]
    assert rows["deviation"].tolist() == pytest.approx(deviations)


def named(columns, *rows):
    return pd.DataFrame(rows, columns=columns.split())


def test_in_short_there_is_a_line_for_each_basis_with_means_over_seeds():
    of = "network basis measure how value"
    study = Study(
        scores=pd.DataFrame(), sparsity=pd.DataFrame(), spliced=pd.DataFrame(),
        agreement=pd.DataFrame(), seeds=pd.DataFrame(),
        contrasts=named(of, ("n", "random 0", "sources", "exact", 2.0),
                        ("n", "random 1", "sources", "exact", 4.0),
                        ("n", "random 1", "sources", "probed", 9.0),
                        ("n", "random 1", "gini", "exact", 9.0),
                        ("n", "dictionary-4 0", "sources", "exact", 0.5)),
        rebuilt=named("network dictionary basis ratio", ("n", "dictionary-4 0", "pca", 1.25),
                      ("n", "dictionary-4 0", "lib", 9.0)),
        required=named("network basis kind delta share", ("n", "pca", "all", 0.1, 0.25),
                       ("n", "pca", "all", 0.01, 0.9), ("n", "pca", "section", 0.1, 0.9)),
        modules=named("network basis weights modularity null_mean null_sd",
                      ("n", "pca", "sqrt", 0.5, 0.4, 0.05), ("n", "pca", "log", 0.9, 0.4, 0.05),
                      ("n", "random 0", "sqrt", 0.5, 0.4, 0.0)),
        predicted=named(of, *(("n", basis, "auc", "exact", value) for basis, value in
                              (("pca", 0.5), ("random 0", 0.6), ("random 1", 0.7),
                               ("dictionary-4 0", 0.8))),
                        ("n", "pca", "tokens", "exact", 9.0)),
    )  # fmt: skip
    view = summary_view(study)
    assert view.columns == (
        "network", "basis", "sources to PCA", "at equal reconstruction", "edges at δ 0.1",
        "Q above chance", "AUC",
    )  # fmt: skip
    assert view.rows == [
        ("n", "pca", "1", "", "25.0%", "+2.0 sd", "0.5"),
        ("n", "random", "3", "", "", "", "0.65"),
        ("n", "dictionary-4", "0.5", "1.25", "", "", "0.8"),
    ]


def test_what_is_not_known_is_an_empty_cell():
    """Of a section in which nothing flows there is no measure, and so no mean over sections."""
    measures = (*MEASURES, "error", "auc", "tokens")
    of = {"pca": [(1, 4), (1, 2)], "lib": [(1, np.nan), (1, np.nan)]}
    found = {
        basis: pd.concat([answers(measure, draws, (0, 1)) for measure in measures])
        for basis, draws in of.items()
    }
    levels, contrasts = level_rows("n", found), contrast_rows("n", found, "pca")
    nothing = pd.DataFrame()
    study = Study(
        scores=nothing, sparsity=levels, contrasts=contrasts, rebuilt=nothing, spliced=nothing,
        required=nothing, modules=nothing, agreement=nothing, predicted=levels, seeds=nothing,
    )  # fmt: skip
    tables = study_tables(study)
    assert "| n | lib |  |  |" in tables["Predicted by words"]
    assert "| n | lib | sources |  |" in tables["Sparsity against PCA"]
    assert all("nan" not in table for table in tables.values())
