"""The command as a process of its own: how it ends, which a test's process does not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

BEGIN = "import sys\nfrom queries.cli.console import ended_at_once\n"
DOOMED = """
class Doomed:
    def __del__(self):
        print("taken apart")
doomed = Doomed()
"""


def ended(program, *arguments, **options):
    return subprocess.run(
        [sys.executable, *program, *arguments],
        capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, **options,
    )  # fmt: skip


def ended_with(body, before=""):
    """Run a program whose `main` has this body, and end it at once."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return ended(["-c", f"{before}\n{BEGIN}{DOOMED}\ndef main():\n{lines}\nended_at_once(main)"])


@pytest.mark.parametrize(
    ("arguments", "code", "output", "error"),
    [
        (["--version"], 0, "lib-graph, version", ""),
        (["paths", "--no-such-option"], 2, "", "No such option"),
    ],
)
def test_exit_codes_and_what_is_said(arguments, code, output, error, tmp_path):
    done = ended(["-m", "lib_graph"], *arguments, cwd=tmp_path)
    assert done.returncode == code
    assert done.stdout.startswith(output) if output else not done.stdout
    assert error in done.stderr if error else not done.stderr


@pytest.mark.parametrize("code", [0, 1, 4])
def test_the_interpreter_is_not_taken_apart(code):
    done = ended_with(f"print('said', end='')\nsys.exit({code})")
    assert (done.returncode, done.stdout, done.stderr) == (code, "said", "")


def test_where_something_is_left_to_do_the_interpreter_ends_as_usual():
    done = ended_with("sys.exit(4)", before="import atexit; atexit.register(print, 'saved')")
    assert (done.returncode, done.stdout) == (4, "saved\ntaken apart\n")


def test_all_that_ends_with_a_process_ends():
    done = ended_with(
        """
import atexit, logging.handlers, tempfile, threading, time
from concurrent.futures import ThreadPoolExecutor
global folder, executor
folder = tempfile.TemporaryDirectory()
print(folder.name)
atexit.register(print, "handler")
kept = logging.handlers.MemoryHandler(9, target=logging.StreamHandler(sys.stdout))
logging.getLogger().addHandler(kept)
logging.warning("logged")
executor = ThreadPoolExecutor(1)
executor.submit(lambda: (time.sleep(0.05), print("submitted")))
threading.Thread(target=lambda: (time.sleep(0.1), print("thread"))).start()
"""
    )
    folder, *lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert not os.path.exists(folder)
    assert lines[:2] == ["submitted", "thread"]
    assert sorted(lines[2:]) == ["handler", "logged"]


def test_ctrl_c_is_too_late_when_all_is_done():
    press = "import atexit, os, signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    press += "atexit.register(os.kill, os.getpid(), signal.SIGINT)\n"
    done = ended_with(press + "atexit.register(print, 'finished')\nsys.exit(4)")
    assert (done.returncode, done.stdout, done.stderr) == (4, "finished\n", "")


def test_ctrl_c_before_the_command_heeds_it_says_nothing():
    heeded = "import os, signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    done = ended_with(heeded + "os.kill(os.getpid(), signal.SIGINT)")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_an_error_of_ours_still_shows_where_it_happened():
    done = ended_with("raise ValueError('unforeseen')")
    assert done.returncode == 1
    assert "ValueError: unforeseen" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("what", ["--version", "queries", "queries --csv"])
def test_an_output_that_was_closed_before_is_no_error(what, tmp_path):
    done = subprocess.run(
        ["sh", "-c", f'"$0" -m lib_graph {what} <&- >&-', sys.executable],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("verb", ["--help", "--version"])
def test_a_reader_that_has_gone_is_exit_code_1(verb):
    """As with `lib-graph ... | head -1`."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as gone:
        done = subprocess.run(
            [sys.executable, "-m", "lib_graph", verb], stdout=gone, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")
