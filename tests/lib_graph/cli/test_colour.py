"""Colour, where somebody does not want any."""

from __future__ import annotations

import click
import pytest

from lib_graph.cli.commands import command


@pytest.mark.parametrize(
    ("arguments", "variable", "coloured"),
    [([], "", True), (["--no-color"], "", False), ([], "1", False)],
)
def test_no_color_is_heeded_as_an_option_and_as_a_variable(
    arguments: list[str],
    variable: str,
    coloured: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    @command()
    def verb() -> None:
        click.secho("said", fg="cyan")

    monkeypatch.setenv("NO_COLOR", variable)  # and set back, whatever the option does
    verb.main(arguments, standalone_mode=False, color=True)
    assert ("\x1b[" in capsys.readouterr().out) == coloured
