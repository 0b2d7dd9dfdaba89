"""What a service keeps is of the store as it is, whoever has changed it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

import ingest
import queries
from queries.service import held
from queries.service.held import Held, Served
from tests.processes import started
from tests.synthetic import random_run


@pytest.mark.slow
def test_modules_have_the_labels_that_another_process_gave(
    store_target: str, tmp_path: Path
) -> None:
    ingest.load(random_run(tmp_path / "run", (6, 5, 4), seed=3), store_target)
    with Served(store_target) as served:
        first = served.communities(served.graph())
        assert served.communities(served.graph()) is first
        label = ("feature", "layer/1/2", "--label", "of another", "--store", store_target)
        labelling = started(*label)
        labelling.communicate()
        assert labelling.returncode == 0
        labels = served.communities(served.graph()).to_pandas()["labels"]
        assert "of another" in [label for each in labels for label in each]


def test_the_answers_that_were_asked_for_last_are_kept() -> None:
    answers = Held(2)
    found: list[str] = []
    for key in "abacab":
        answers.get(key, lambda key=key: found.append(key))  # type: ignore[misc]
    assert found == ["a", "b", "c", "b"]


def test_what_was_found_in_what_has_changed_meanwhile_is_not_kept() -> None:
    answers = Held(2)

    def find() -> str:
        answers.forget()  # somebody writes while this is found
        return "old"

    assert answers.get("key", find) == "old"
    assert answers.get("key", lambda: "new") == "new"
    assert answers.get("key", lambda: "newer") == "new"


def test_who_asks_after_a_change_does_not_wait_for_what_was_found_before() -> None:
    answers, looking, go_on = Held(2), threading.Event(), threading.Event()

    def find() -> str:
        looking.set()
        go_on.wait()
        return "old"

    slow = threading.Thread(target=lambda: answers.get("key", find))
    slow.start()
    looking.wait()
    answers.forget()
    assert answers.get("key", lambda: "new") == "new"
    go_on.set()
    slow.join()
    assert answers.get("key", lambda: "newer") == "new"


def test_what_cannot_be_found_is_looked_for_again() -> None:
    answers = Held(2)
    with pytest.raises(ZeroDivisionError):
        answers.get("key", lambda: 1 // 0)
    assert answers.get("key", lambda: 2) == 2


def test_many_who_ask_meanwhile_wait_for_one_who_finds() -> None:
    answers, found, start = Held(2), [], threading.Barrier(8)

    def find() -> int:
        found.append(1)
        return len(found)

    def ask() -> None:
        start.wait()
        assert answers.get("key", find) == 1

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1]


def test_what_the_page_asks_first_is_found_beforehand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, file = random_run(tmp_path / "run", (6, 5, 4), seed=3), str(tmp_path / "graph.kgl")
    ingest.load(run, file)
    with Served(file) as served:
        served.prepare().join()
        monkeypatch.setattr(queries.Graph, "ranked", None)  # it is not found again
        rows = served.ranked(served.graph()).rows
    assert rows["strength"].sum() > 0
    ingest.delete(run.id, file)
    with Served(file) as served:
        served.prepare().join()  # there is nothing to find, and nothing goes wrong


def test_closing_does_not_wait_for_ever_for_what_nobody_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, file = random_run(tmp_path / "run", (6, 5, 4), seed=3), str(tmp_path / "graph.kgl")
    ingest.load(run, file)
    monkeypatch.setattr(held, "LAST_S", 0.01)
    begun, end = threading.Event(), threading.Event()

    def ranked(_graph: queries.Graph) -> None:
        begun.set()
        assert end.wait(60)

    monkeypatch.setattr(queries.Graph, "ranked", ranked)
    with Served(file) as served:
        finding = served.prepare()
        assert begun.wait(60)
    assert finding.is_alive()
    end.set()
    finding.join()


def test_a_folder_is_held_as_it_was_written_last(tmp_path: Path) -> None:
    """However often it is written, and not where it is gone."""
    run, file = random_run(tmp_path / "run", (6, 5, 4), seed=3), str(tmp_path / "graph.kgl")
    ingest.load(run, file)
    manifest = run.path / "manifest.json"
    with Served(file, None, [tmp_path]) as served:
        (info,) = served.runs()
        first = served.folder(info)
        assert first is not None
        assert served.folder(info) is first
        for second in range(3):
            os.utime(manifest, (second, second))
            again = served.folder(info)
            assert again is not None
            assert again is not first
            assert len(served._opened) == 1
        manifest.write_text("{}")
        assert served.folder(info) is None
        assert len(served._opened) == 0
