"""What a person sees of a long computation, on stderr."""

import threading

import pytest
from rich.console import Console

from lib_graph.support.progress import ConsoleProgress, Limit


def test_elsewhere_than_on_a_terminal_a_stage_is_a_line(capsys):
    progress = ConsoleProgress()
    with progress.stage("Jacobian of [b]", 2) as advance:
        advance(2)
    progress.say("[b] is said")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0].startswith("Jacobian of [b]: ")
    assert err.splitlines()[1:] == ["[b] is said"]


@pytest.mark.parametrize("layer", ["h[a]", "[/b]", "[red]"])
def test_a_bar_shows_the_name_as_it_is(capsys, layer):
    progress = ConsoleProgress()
    progress._console = Console(stderr=True, force_terminal=True, width=100)
    with progress.stage(f"Jacobian of {layer}", 2) as advance:
        advance(1)
    assert capsys.readouterr().err.count(f"Jacobian of {layer}") >= 2  # the bar, and the end


def test_a_long_stage_says_how_far_it_is_where_there_is_no_terminal(capsys):
    before = set(threading.enumerate())
    progress = ConsoleProgress()
    progress.soon = progress.again = 0.01
    said = threading.Event()
    say = progress.say

    def heard(line):
        say(line)
        said.set()

    progress.say = heard
    with progress.stage("Gram", 4) as advance:
        assert said.wait(60)
        advance(3)
        said.clear()
        assert said.wait(60)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Gram: 0 %"
    assert any(line.startswith("Gram: 75 %, about ") for line in lines)
    assert lines[-1].endswith(" s")
    assert set(threading.enumerate()) <= before


def test_a_stage_that_may_end_early_is_told_as_a_limit(capsys):
    progress = ConsoleProgress()
    progress._console = Console(stderr=True, force_terminal=True, width=100)
    with progress.stage("training", Limit(4)) as advance:
        advance(1)
    assert "training, at most" in capsys.readouterr().err
