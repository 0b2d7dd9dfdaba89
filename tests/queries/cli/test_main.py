"""What becomes of an error at the edge of the command line, whatever raised it."""

import errno
import os
import signal

import click
import pytest

from lib_graph.cli.commands import Command
from lib_graph.errors import ConflictError, LibGraphError, StoreUnavailableError
from queries.cli import main as cli


def outcome(monkeypatch, capsys, error, *arguments):
    """Return exit code and stderr of a verb that ends in `error`."""

    def fail(rest):
        raise error

    verb = Command("fail", callback=fail, params=[click.Argument(["rest"], nargs=-1)])
    monkeypatch.setattr(cli._Verbs, "get_command", lambda *_: verb)
    with pytest.raises(SystemExit) as stop:
        cli.main(["fail", *arguments])
    return stop.value.code, capsys.readouterr().err.lstrip()  # click ends the line with ^C


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (LibGraphError("two\nlines"), 1, "Error: two lines\n"),
        (StoreUnavailableError("down"), 3, "Error: down\n"),
        (ConflictError("other"), 4, "Error: other\n"),
        (OSError(errno.ENOSPC, "No space", "a.txt"), 1, "Error: The disk is full while writing 'a"),
        (OSError(errno.EACCES, "Permission denied", "b"), 1, "Error: 'b' cannot be used: Permi"),
        (MemoryError(), 1, "Error: Out of memory. Give the build a smaller --memory"),
        (KeyError("x\ny"), 1, "Error: Unexpected KeyError: 'x\\ny'. --debug shows where"),
        (KeyboardInterrupt(), 130, "Interrupted. To start again: lib-graph fail\n"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(monkeypatch, capsys, error, code, says):
    found, line = outcome(monkeypatch, capsys, error)
    assert (found, line[: len(says)]) == (code, says)
    assert line.count("\n") == 1


@pytest.mark.parametrize("verb", ["build", "ingest", "ablate", "examples", "match", "degeneracy"])
def test_what_goes_on_where_it_was_interrupted_says_so(monkeypatch, capsys, verb):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.cli, "main", interrupted)
    with pytest.raises(SystemExit):
        cli.main([verb, "x"])
    said = f"Interrupted. What was finished is kept. To go on: lib-graph {verb} x\n"
    assert capsys.readouterr().err == said


def test_debug_shows_the_traceback(monkeypatch, capsys):
    assert "Traceback" in outcome(monkeypatch, capsys, ValueError("x"), "--debug")[1]


def test_the_line_after_ctrl_c_holds_no_password(monkeypatch, capsys):
    store = "neo4j+s://me:pass:w@rd@host:7687/?a=b"
    _, line = outcome(monkeypatch, capsys, KeyboardInterrupt(), "--", "--store", store)
    assert "--store 'neo4j+s://me:…@host:7687/?a=b'" in line
    assert "w@rd" not in line


def test_ctrl_c_is_an_interruption_even_if_a_library_makes_it_an_error_of_its_own(
    monkeypatch, capsys
):
    def fail():
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            raise ImportError("cannot load module more than once") from None

    monkeypatch.setattr(cli._Verbs, "get_command", lambda *_: Command("x", callback=fail))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's & ignores it
    try:
        with pytest.raises(SystemExit) as stop:
            cli.main(["x"])
        assert stop.value.code == 130
        assert "ImportError" not in capsys.readouterr().err
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_all_verbs_take_may_stand_before_the_verb(monkeypatch, capsys):
    def fail():
        raise ValueError("x")

    monkeypatch.setenv("NO_COLOR", "")  # and set back, whatever the option does
    monkeypatch.setattr(cli._Verbs, "get_command", lambda *_: Command("runs", callback=fail))
    with pytest.raises(SystemExit):
        cli.main(["--no-color", "--debug", "runs"])
    assert os.environ["NO_COLOR"] == "1"
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "option", "says"),
    [
        (["--json", "runs", "--store", "a b"], "--json", "lib-graph runs --store 'a b' --json"),
        (["--store", "s", "circuits", "list"], "--store", "lib-graph circuits list --store s"),
        (["-q", "--run", "r", "paths"], "--run", "lib-graph paths -q --run r"),
        (
            ["--store", "bolt://me:secret@host", "runs"],
            "--store",
            "lib-graph runs --store 'bolt://me:…@host'",
        ),
    ],
)
def test_an_option_of_the_verb_before_it_is_told_where_it_belongs(capsys, arguments, option, says):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    assert capsys.readouterr().err == f"Error: {option} stands after the verb: {says}\n"


def test_an_interrupted_verb_goes_on_whatever_stands_before_it(monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.cli, "main", interrupted)
    with pytest.raises(SystemExit):
        cli.main(["-q", "build", "x"])
    assert capsys.readouterr().err.startswith("Interrupted. What was finished is kept.")
