"""What a person reads of an answer."""

from __future__ import annotations

import click
import pandas as pd
import pytest

from lib_graph.support.defaults import MIN_IMPORTANCE
from queries.cli.main import cli
from queries.modules.communities import Communities, Community
from queries.views.modules import communities_view


def found(resolution: float) -> Communities:
    labels = (("k=15", 0.757), ("k=3", 0.2), ("k=9", 0.009), ("k=1", 0.001))
    communities = (
        Community("c/1", 1, 3, 2, ("first", "second"), labels, ("a", "b", "c")),
        Community("c/2", 2, 2, 1, ("first",), (), ("d", "e")),
        Community("c/3", 3, 1, 1, ("first",), (), ("f",)),
    )
    how = ("0123456789ab", "leiden", "sqrt", resolution, 0, 0.28444, 0.31)
    return Communities(*how, communities, pd.DataFrame())  # type: ignore[arg-type]


def test_modules_are_shown_with_their_labels_and_those_of_one_feature_are_counted() -> None:
    view = communities_view(found(2.0))
    assert view.rows == [
        ("1", "3", "2", "first → second", "k=15 (76%), k=3 (20%)"),
        ("2", "2", "1", "first", ""),
    ]
    assert view.above == "Modularity Q = 0.2844 at resolution 2, 0.3100 at 1."
    assert view.below == "Features that are a module of their own: 1."
    assert communities_view(found(1.0)).above == "Modularity Q = 0.2844 at resolution 1."


@pytest.mark.parametrize("verb", ["paths", "circuit"])
def test_ends_are_left_out_below_the_same_importance_at_the_shell_as_in_python(
    verb: str,
) -> None:
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None
    (option,) = (one for one in command.params if one.name == "min_importance")
    assert option.default == MIN_IMPORTANCE == 1e-6
