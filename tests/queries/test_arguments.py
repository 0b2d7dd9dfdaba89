"""What is wrong with an argument from Python is said in one line, whichever it is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import ingest
import queries
from lib_graph.errors import LibGraphError, UsageError
from tests.synthetic import random_run

JUNK = ("a", "", -1, 0, 2.5, float("nan"), float("inf"), ["a"], object(), True)
GIVEN: dict[str, dict[str, Any]] = {
    "feature": {"feature": "layer/1/2"},
    "circuit": {"target": "layer/2/1"},
    "grow_circuit": {"target": "layer/2/1"},
    "circuit_among": {"features": ["layer/1/2", "layer/2/1"]},
    "circuit_of_pairs": {"pairs": [("layer/1/2", "layer/2/1")]},
    "query": {"name": "hubs"},
    "cypher": {"text": "RETURN 1 AS one"},
    "label": {"feature": "layer/1/2", "text": "called"},
    "place": {"text": "layer/1/2"},
}
LEFT_OUT = {"close", "write_cypher", "report", "show", "plot", "save_communities"}


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[queries.Graph]:
    folder = tmp_path_factory.mktemp("arguments")
    ingest.load(random_run(folder / "run", (4, 3, 3), seed=7), folder / "graph.kgl")
    with queries.open_graph(folder / "graph.kgl") as opened:
        yield opened


def calls(held: Any, given: dict[str, dict[str, Any]]) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield calls of each public method with one argument that is junk, and what each is."""
    for name, method in inspect.getmembers(held, inspect.ismethod):
        if name.startswith("_") or name in LEFT_OUT:
            continue
        for parameter in inspect.signature(method).parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                continue
            for junk in JUNK:
                arguments = inspect.signature(method).bind_partial(**_by_name(method, given, name))
                several = parameter.kind is parameter.VAR_POSITIONAL
                arguments.arguments[parameter.name] = (junk,) if several else junk
                yield (
                    f"{name}({parameter.name}={junk!r})",
                    lambda m=method, a=arguments: m(*a.args, **a.kwargs),
                )


def _by_name(method: Any, given: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    only = inspect.Parameter.POSITIONAL_ONLY
    parameters = inspect.signature(method).parameters
    return {key: x for key, x in given.get(name, {}).items() if parameters[key].kind is not only}


@pytest.mark.slow
def test_no_argument_of_a_graph_fails_anywhere_inside(graph):
    messages, missing = [], []
    for what, call in calls(graph, GIVEN):
        try:
            call()
        except LibGraphError as error:
            messages.append(str(error))
        except TypeError as error:  # Python's own, of an argument that is missing
            missing.append(f"{what}: {error}")
    assert len(messages) > 200
    assert not [text for text in messages if "\n" in text]
    assert not [text for text in missing if "missing a required argument" not in text]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g: g.communities(resolution="a"),
         "resolution of communities() is 'a'. Give a number."),
        (lambda g: g.paths(k="5"), "k of paths() is '5'. Give a whole number."),
        (lambda g: g.paths(k=True), "k of paths() is True. Give a whole number."),
        (lambda g: g.features(layer=3), "layer of features() is 3. Give a text."),
        (lambda g: g.circuit_among("layer/1/2"),
         "features of circuit_among() is 'layer/1/2'. Give a list, each of them a text."),
        (lambda g: g.circuit_of("five"), "answer of circuit_of() is 'five'. Give Paths or Table."),
        (lambda g: g.cypher("RETURN 1", ["run"]),
         "parameters of cypher() is ['run']. Give a dict."),
        (lambda g: g.circuits.load(5), "name of load() is 5. Give a text."),
        (lambda g: queries.open_graph(g.store, run=5), "run of open_graph() is 5. Give a text."),
    ],
)  # fmt: skip
def test_an_argument_of_another_type_is_named_with_what_it_should_be(graph, call, message):
    with pytest.raises(UsageError) as caught:
        call(graph)
    assert str(caught.value) == message


def test_numbers_of_numpy_are_numbers(graph):
    import numpy as np

    assert len(graph.interactions(limit=np.int64(2), min_strength=np.float32(0)).frame) == 2
