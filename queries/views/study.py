"""The answers of a study of language models as tables, for a terminal and for a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from lib_graph.support.arguments import checked
from lib_graph.support.tables import records_of
from lib_graph.support.view import View
from queries.views.cells import fixed_cell, spread_cell, text_cell
from queries.views.study_summary import summary_view

if TYPE_CHECKING:
    from queries.comparing.study_tables import Study

__all__ = ["study_tables", "study_view"]

KEYS = ["network", "basis"]
LEVELS = {
    "for_90": "n90", "for_99": "n99", "gini": "Gini", "hoyer": "Hoyer", "effective": "effective",
    "sources_90": "sources 90", "sources": "sources",
}  # fmt: skip
CONTRASTS = {
    **{name: LEVELS[name] for name in ("for_90", "effective", "sources", "gini")}, "auc": "AUC",
}  # fmt: skip
SUMMARY = "In short"
ERROR = {"error": "median error of an edge"}
WORDS = {"auc": "AUC", "tokens": "effective tokens"}
SEEDED = {name: f"{CONTRASTS[name]} to PCA" for name in ("sources", "effective", "auc")}


def study_view(study: Study) -> View:
    """Return all tables of a study, one below the other."""
    *others, (name, last) = tables(study).items()
    above = [line for title, view in others for line in (f"{title}:", *view.lines(), "")]
    return View(
        last.columns, last.rows, last.numbers, above="\n".join([*above, f"{name}:"]),
        below="In brackets: 95 % intervals over sequences. Against PCA: ratios, of Gini and AUC "
        "differences, of the first seeds. ±: standard deviations over seeds. Not asked: what takes "
        "the whole graph, of a network of whose features some were chosen (--top).",
    )  # fmt: skip


@checked
def study_tables(study: Study) -> dict[str, str]:
    """Return the same tables in Markdown, by their titles."""
    return {title: _markdown(view) for title, view in tables(study).items()}


def tables(study: Study) -> Mapping[str, View]:
    """Return the tables by their titles, those left out in which nothing is."""
    found: list[tuple[str, Callable[[pd.DataFrame], View], pd.DataFrame]] = [
        ("What is asked", _scores, study.scores),
        ("Sparsity, means over sections", partial(_levels, shown=LEVELS), study.sparsity),
        ("Sparsity against PCA", _contrasts, study.contrasts),
        ("Error of one probe", partial(_levels, shown=ERROR), study.sparsity),
        ("Dictionaries at equal reconstruction", _rebuilt, study.rebuilt),
        ("Dictionaries in place of layers", _spliced, study.spliced),
        ("Edges required", _required, study.required),
        ("Modules", _modules, study.modules),
        ("Modules and parts of the network", _agreement, study.agreement),
        ("Predicted by words", partial(_levels, shown=WORDS, bounds=True), study.predicted),
        ("Over seeds", _seeds, study.seeds),
    ]
    views = {title: view(frame) for title, view, frame in found if len(frame)}
    return {title: view for title, view in {SUMMARY: summary_view(study), **views}.items()
            if view.rows}  # fmt: skip


def _scores(frame: pd.DataFrame) -> View:
    """Return what each network scores on all of the text, and how much is asked of it."""
    counts = ("rows", "answers", "sections", "features", "samples")
    rows = [
        (
            row["network"], *(str(row[name]) for name in counts),
            spread_cell(row["score"], row["error"]), row["left_out"],
        )
        for row in records_of(frame)
    ]  # fmt: skip
    numbers = ("rows", "answers", "sections", "features", "rows of strengths", "cross-entropy")
    return View(("network", *numbers, "not asked"), rows, frozenset(numbers))


def _levels(frame: pd.DataFrame, shown: Mapping[str, str], *, bounds: bool = False) -> View:
    """Return a row per network and basis, a column per measure."""
    exact = frame[(frame["how"] == "exact") & frame["measure"].isin(list(shown))]
    rows = []
    for key, own in exact.groupby(KEYS, sort=False):
        found = {row["measure"]: row for row in records_of(own)}
        cells = [
            _bounded(found[name]) if bounds else _short(found[name]["value"]) for name in shown
        ]
        rows.append((*map(str, key), *cells))
    return View((*KEYS, *shown.values()), rows, frozenset(shown.values()))


def _contrasts(frame: pd.DataFrame) -> View:
    """Return a row per network, basis (of several seeds the first) and measure: exact, and as one
    probe shows it.
    """
    later = frame["basis"].str.contains(r" [1-9]\d*$")
    chosen = frame[frame["measure"].isin(list(CONTRASTS)) & ~later]
    rows = []
    for (network, basis, measure), own in chosen.groupby([*KEYS, "measure"], sort=False):
        found = {row["how"]: row for row in records_of(own)}
        exact = found["exact"]
        cells = [
            _bounded(exact), f"{_short(exact['least'])} to {_short(exact['most'])}",
            _bounded(found["probed"]) if "probed" in found else "",
        ]  # fmt: skip
        rows.append((str(network), str(basis), CONTRASTS[str(measure)], *cells))
    numbers = ("exact", "of one section", "one probe")
    return View((*KEYS, "measure", *numbers), rows, frozenset(numbers))


def _required(frame: pd.DataFrame) -> View:
    """Return a row per network, basis and δ: sums over sections, and all sections at once."""
    rows = []
    for (network, basis, delta), own in frame.groupby([*KEYS, "delta"], sort=False):
        sections, (every,) = own[own["kind"] == "section"], records_of(own[own["kind"] == "all"])
        rows.append(
            (
                str(network), str(basis), f"{delta:.4g}", str(int(sections["edges"].sum())),
                str(every["edges"]),
                str(every["pairs"]), f"{every['share']:.1%}", fixed_cell(every["score"]),
                fixed_cell(every["baseline"]), fixed_cell(every["random_score"]),
            )
        )  # fmt: skip
    numbers = ("δ", "one section at a time", "all at once", "pairs", "of all", "score",
               "baseline", "random")  # fmt: skip
    return View((*KEYS, *numbers), rows, frozenset(numbers))


def _rebuilt(frame: pd.DataFrame) -> View:
    """Return a row per dictionary and basis (of random turns the first), itself without a ratio."""
    rows = []
    for row in records_of(frame[~frame["basis"].str.contains(r"^random [1-9]")]):
        itself = row["basis"] == row["dictionary"]
        ratio = {"value": row["ratio"], "low": row["low"], "high": row["high"]}
        rows.append(
            (
                *(row[name] for name in ("network", "dictionary", "basis")),
                *(_short(row[name]) for name in ("features", "explained", "for_90", "effective",
                                                 "sources")),
                "" if itself else _short(row["sources_of_all"]), "" if itself else _bounded(ratio),
            )
        )  # fmt: skip
    numbers = ("features", "explained", "n90", "effective", "sources", "of all rows", "ratio")
    return View(("network", "dictionary", "beside", *numbers), rows, frozenset(numbers))


def _spliced(frame: pd.DataFrame) -> View:
    numbers = {"baseline": "cross-entropy", "one": "one layer", "worst": "the worst", "all": "all"}
    rows = [
        (row["network"], row["dictionary"], *(fixed_cell(row[name]) for name in numbers))
        for row in records_of(frame)
    ]
    return View(("network", "dictionary", *numbers.values()), rows, frozenset(numbers.values()))


def _seeds(frame: pd.DataFrame) -> View:
    """Return a row per network, basis and measure: mean ± standard deviation over seeds."""
    rows = [
        (
            str(row["network"]), str(row["basis"]),
            SEEDED.get(row["measure"], str(row["measure"])),
            spread_cell(row["mean"], row["deviation"]), str(row["seeds"]),
        )
        for row in records_of(frame)
        if row["measure"] in SEEDED or row["measure"].startswith(("required ", "Q "))
    ]  # fmt: skip
    numbers = ("mean", "seeds")
    return View((*KEYS, "measure", *numbers), rows, frozenset(numbers))


def _modules(frame: pd.DataFrame) -> View:
    rows = [
        (
            *(row[name] for name in (*KEYS, "weights")), f"{row['modularity']:.4f}",
            _null(row["null_mean"], row["null_sd"]), text_cell(row["null"]),
            fixed_cell(row["stability"]), text_cell(row["modules"]),
        )
        for row in records_of(frame)
    ]  # fmt: skip
    numbers = ("Q", "without modules", "graphs", "stability", "modules")
    return View((*KEYS, "weights", *numbers), rows, frozenset(numbers))


def _agreement(frame: pd.DataFrame) -> View:
    rows = [
        (
            *(row[name] for name in (*KEYS, "weights", "structure")), text_cell(row["features"]),
            f"{row['ari']:.4f}", _null(row["shuffled_mean"], row["shuffled_sd"]),
        )
        for row in records_of(frame)
    ]  # fmt: skip
    numbers = ("features", "agreement", "dealt out anew")
    return View((*KEYS, "weights", "parts", *numbers), rows, frozenset(numbers))


def _null(mean: float | None, deviation: float | None) -> str:
    """Return 0.1234 ± 0.001, or ± 3e-05: shuffled graphs differ by little."""
    if mean is None:
        return ""
    return f"{mean:.4f}" + ("" if deviation is None else f" ± {deviation:.1g}")


def _bounded(row: Mapping[str, Any]) -> str:
    """Return 0.95 [0.93, 0.98]."""
    value, low, high = (row[name] for name in ("value", "low", "high"))
    return _short(value) if low is None else f"{_short(value)} [{_short(low)}, {_short(high)}]"


def _short(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _markdown(view: View) -> str:
    lines = [
        view.columns,
        ["---:" if x in view.numbers else "---" for x in view.columns],
        *view.rows,
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
