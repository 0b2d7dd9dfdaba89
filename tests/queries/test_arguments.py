"""What is wrong with an argument from Python is said in one line, whichever it is."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

import pandas as pd
import pytest

import ingest
import lib_graph
import queries
from lib_graph.errors import LibGraphError, UsageError
from lib_graph.support.arguments import checked
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


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lib_graph.build(3, "run"),
         "model of build() is 3. Give Subject or nn.Module or a text or Path."),
        (lambda: lib_graph.build("mine.py:f", "run", layers="output"),
         "layers of build() is 'output'. Give a list, each of them a text."),
        (lambda: lib_graph.build("mine.py:f", "run", "lib"),
         "options of build() is 'lib'. Give Options."),
        (lambda: lib_graph.trace("run", "out", 0), "run of trace() is 'run'. Give Run."),
        (lambda: lib_graph.smallest_circuit(3, 0.1),
         "bench of smallest_circuit() is 3. Give Bench."),
        (lambda: ingest.load(3, "graph.kgl"), "run of load() is 3. Give Run or a text or Path."),
        (lambda: ingest.load("run", "graph.kgl", replace=1),
         "replace of load() is 1. Give True or False."),
        (lambda: ingest.delete(None, "graph.kgl"), "run of delete() is None. Give a text."),
        (lambda: queries.draw_circuit("five"),
         "circuit of draw_circuit() is 'five'. Give Circuit."),
    ],
)  # fmt: skip
def test_what_builds_and_loads_says_so_too(call, message):
    with pytest.raises(UsageError) as caught:
        call()
    assert str(caught.value) == message


def test_all_that_is_public_says_so():
    for room in (lib_graph, ingest, queries):
        functions = [each for each in (getattr(room, x) for x in room.__all__)
                     if inspect.isfunction(each)]  # fmt: skip
        taking = [each for each in functions if inspect.signature(each).parameters]
        taking = [each for each in taking if each is not ingest.open_store]  # takes anything
        assert len(taking) > 3
        assert [each.__name__ for each in taking if not hasattr(each, "__wrapped__")] == []


def takes(several: Sequence[int] = (), each: Iterable[str] = (), word: Literal["a", "b"] = "a"):
    return several, list(each), word


def test_several_and_words():
    called = checked(takes)
    assert called([1, 2], iter("ab"), "b") == ([1, 2], ["a", "b"], "b")
    for wrong in ({"several": [1, "a"]}, {"several": iter([1])}, {"each": "ab"}, {"each": [1]},
                  {"each": 3}, {"word": 1}):  # fmt: skip
        with pytest.raises(UsageError, match=rf"^{next(iter(wrong))} of takes\(\) is "):
            called(**wrong)


def test_numbers_of_numpy_are_numbers(graph):
    import numpy as np

    assert len(graph.interactions(limit=np.int64(2), min_strength=np.float32(0)).frame) == 2
    paths = graph.paths(k=np.int64(2))
    for found in (paths.query, graph.circuit_of(paths).json_value(),
                  graph.overview(share=np.float64(0.5)).json_value()):  # fmt: skip
        assert json.loads(json.dumps(found)) == found


def test_what_numpy_and_pandas_have_is_taken_as_python_s(graph):
    import numpy as np

    ends = graph.interactions(limit=2, constants=np.bool_(False)).frame[["source", "target"]]
    wanted = graph.circuit_of_pairs([tuple(pair) for pair in ends.values.tolist()])
    assert graph.circuit_of_pairs(ends.to_numpy()).pairs() == wanted.pairs()
    members = pd.concat([ends["source"], ends["target"]])
    among = graph.circuit_among(members.tolist())
    assert len(among)
    for features in (members, members.to_numpy(), pd.Index(members)):
        assert graph.circuit_among(features).pairs() == among.pairs()
    found = graph.module_table(resolutions=np.linspace(1, 2, 2), seeds=1, null=0)
    assert found.frame["resolution"].tolist() == [1.0, 2.0]
    assert len(graph.query("hubs", k=np.int64(2), min_share=np.float32(0.5)).frame) == 2
    with pytest.raises(UsageError, match=r"resolutions of module_table\(\) is 'a'\. Give a list"):
        graph.module_table(resolutions=np.array("a"))
