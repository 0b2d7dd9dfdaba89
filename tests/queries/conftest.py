from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from queries.cli.main import main
from tests.traced import traced_once

__all__ = ["Answer", "cli", "traced_once"]


@dataclass(frozen=True)
class Answer:
    """What a command left: its exit code, stdout and stderr."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run `lib-graph ARGUMENTS`."""

    def run(*arguments: object) -> Answer:
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        return Answer(int(end.value.code or 0), shown.out, shown.err)

    return run
