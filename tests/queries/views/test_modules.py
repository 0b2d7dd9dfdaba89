"""What a person reads of an answer."""

from __future__ import annotations

from dataclasses import replace

import click
import pandas as pd
import pytest

from lib_graph.support.defaults import MIN_IMPORTANCE
from queries.cli.main import cli
from queries.modules.chance import UNASKED, Chance
from queries.modules.communities import Communities, Community
from queries.views.modules import communities_view


def found(
    resolution: float, chance: Chance = UNASKED, importance: float | None = 1.0
) -> Communities:
    labels = (("k=15", 0.757), ("k=3", 0.2), ("k=9", 0.009), ("k=1", 0.001))
    communities = (
        Community("c/1", 1, 3, 2, ("first", "second"), labels, ("a", "b", "c")),
        Community("c/2", 2, 2, 1, ("first",), (), ("d", "e")),
        Community("c/3", 3, 1, 1, ("first",), (), ("f",)),
    )
    how = ("0123456789ab", "leiden", "sqrt", resolution, 0, 0.28444, 0.31)
    features = pd.DataFrame({"importance": [importance]}, dtype=float)
    return Communities(*how, communities, features, chance=chance)  # type: ignore[arg-type]


def test_modules_are_shown_with_their_labels_and_those_of_one_feature_are_counted() -> None:
    view = communities_view(found(2.0))
    assert view.rows == [
        ("1", "3", "2", "first → second", "k=15 (76%), k=3 (20%)"),
        ("2", "2", "1", "first", ""),
    ]
    assert view.above == "Modularity Q = 0.2844 at resolution 2, 0.3100 at 1."
    assert view.below == (
        "labels: with their part of the module's importance, that of a layer being 1.\n"
        "Features that are a module of their own: 1."
    )
    assert communities_view(found(1.0)).above == "Modularity Q = 0.2844 at resolution 1."
    of_graph = communities_view(found(1.0, importance=None)).below
    assert of_graph.startswith("labels: with their part of the module's features.\n")


def test_modularity_stands_beside_that_of_chance() -> None:
    above = communities_view(found(1.0, Chance(10, 0.2, 0.0123))).above
    assert above == (
        "Modularity Q = 0.2844 at resolution 1.\n"
        "By chance: 0.2000 ± 0.0123 (mean ± sd of 10 shuffled graphs)."
    )


def test_labels_that_do_not_tell_modules_apart_are_numbered() -> None:
    one = found(1.0)
    same = tuple(
        replace(one.communities[i], size=2, labels=(("k=15", share),))
        for i, share in enumerate((0.75, 1.0))
    )
    view = communities_view(replace(one, communities=(*same, one.communities[2])))
    assert [row[-1] for row in view.rows] == ["k=15 (75%) #1", "k=15 (100%) #2"]


@pytest.mark.parametrize("verb", ["paths", "circuit"])
def test_ends_are_left_out_below_the_same_importance_at_the_shell_as_in_python(
    verb: str,
) -> None:
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None
    (option,) = (one for one in command.params if one.name == "min_importance")
    assert option.default == MIN_IMPORTANCE == 1e-6
