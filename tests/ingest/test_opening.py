"""Which store is meant, and what is never shown of it."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

import ingest
from ingest.store import open_store, opening
from ingest.store.embedded import EmbeddedStore
from lib_graph.errors import StoreUnavailableError, UsageError


class Opened:
    """What an address and the environment come to, without a server."""

    def __init__(self, uri: str, **how: str | None) -> None:
        self.uri, self.how = uri, how


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ingest.store.neo4j.Neo4jStore", Opened)
    return tmp_path


def meant(target: object = None) -> object:
    opened = open_store(target)
    return opened.uri if isinstance(opened, Opened) else opened.name


def test_the_argument_comes_before_the_environment_before_the_default(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert meant() == "lib-graph.kgl"
    (folder / ".env").write_text("NEO4J_URI=bolt://from-file\nLIB_GRAPH_STORE=ignored.kgl\n")
    assert meant() == "lib-graph.kgl"
    assert meant("neo4j") == "bolt://from-file"
    monkeypatch.setenv("NEO4J_URI", "neo4j://from-environment")
    assert meant() == "lib-graph.kgl"
    monkeypatch.setenv("LIB_GRAPH_STORE", "chosen.kgl")
    assert meant() == "chosen.kgl"
    assert meant("neo4j") == "neo4j://from-environment"
    assert meant("argument.kgl") == "argument.kgl"
    assert meant(Path("path.kgl")) == "path.kgl"


@pytest.mark.parametrize("scheme", opening.NEO4J_SCHEMES)
def test_neo4j_schemes(folder: Path, scheme: str) -> None:
    assert meant(f"{scheme}://host:7687") == f"{scheme}://host:7687"


def test_credentials_come_from_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".env").write_text(
        "# settings\nexport NEO4J_USERNAME='me'\nNEO4J_PASSWORD=\"p=a s\"\n"
        "NEO4J_DATABASE = graphs\nOTHER=1\nnonsense\n"
    )
    opened = open_store("bolt://host")
    assert isinstance(opened, Opened)
    assert opened.how == {"username": "me", "password": "p=a s", "database": "graphs"}
    monkeypatch.setenv("NEO4J_PASSWORD", "other")
    opened = open_store("bolt://host")
    assert isinstance(opened, Opened)
    assert opened.how["password"] == "other"


def test_a_password_of_one_quote_is_that_quote(folder: Path) -> None:
    (folder / ".env").write_text("NEO4J_PASSWORD='\n")
    opened = open_store("bolt://host")
    assert isinstance(opened, Opened)
    assert opened.how["password"] == "'"


def test_credentials_in_an_address_are_used_and_taken_out(folder: Path) -> None:
    opened = open_store("neo4j+s://me:p%40ss@host:7687/?policy=x")
    assert isinstance(opened, Opened)
    assert opened.uri == "neo4j+s://host:7687/?policy=x"
    assert opened.how == {"username": "me", "password": "p@ss", "database": None}


@pytest.mark.parametrize("target", ["http://host", "file:///tmp/x", "neo4j", 5, ["x.kgl"]])
def test_what_is_no_store_is_a_usage_error(folder: Path, target: object) -> None:
    with pytest.raises(UsageError) as caught:
        open_store(target)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("target", [".", "..", "/", "made"])
def test_a_folder_is_no_store(folder: Path, target: str) -> None:
    (folder / "made").mkdir()
    with pytest.raises(StoreUnavailableError, match=r"is a folder.*lib-graph\.kgl'") as caught:
        open_store(target)
    assert caught.value.exit_code == 3


def test_a_run_folder_is_told_to_be_none(folder: Path) -> None:
    (folder / "my run").mkdir()
    (folder / "my run" / "manifest.json").touch()
    says = "run folder, no store. 'lib-graph ingest 'my run' --store FILE' loads it"
    with pytest.raises(StoreUnavailableError, match=says):
        open_store("my run")


def test_an_open_store_is_taken_as_it_is(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / "graph.kgl")
    assert open_store(store) is store


def test_reading_makes_no_file(tmp_path: Path) -> None:
    file = tmp_path / "graph.kgl"
    with open_store(file) as store, pytest.raises(StoreUnavailableError, match="There is no store"):
        store.execute("RETURN 1 AS x")
    assert list(tmp_path.iterdir()) == []


def test_the_way_to_make_a_store_is_told_as_a_shell_takes_it(tmp_path: Path) -> None:
    file = tmp_path / "my graph.kgl"
    with open_store(file) as store, pytest.raises(StoreUnavailableError) as caught:
        store.execute("RETURN 1 AS x")
    assert f"--store {shlex.quote(str(file))}'" in str(caught.value)


def test_the_public_names_are_there() -> None:
    assert sorted(ingest.__all__) == ingest.__all__
    assert all(getattr(ingest, name) for name in ingest.__all__)
    with pytest.raises(AttributeError):
        ingest.nothing  # noqa: B018
