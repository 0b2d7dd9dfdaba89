"""The library of named queries: the texts in `queries/cypher/library`.

The head of each text is its documentation, and says which parameters it takes:

    // Title
    // The question that it answers?
    //
    // What the columns mean.
    // Needs what is not in every store: the command that brings it
    //
    // $layer (layer, required): what it is for
    // $k (count): how many
    // :param run => '0123456789ab'
    // :param layer => 'ln2.0'
    // :param k => 10

A `:param` line holds the default, or an example where a value is required. The kinds of parameters
are those of `queries.asking.parameters`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from lib_graph.errors import NotFoundError, UsageError
from queries.asking.parameters import read_parameter
from queries.asking.reader import Reader
from queries.asking.statements import CYPHER, read_text
from queries.asking.tables import Table

__all__ = ["NamedQuery", "Parameter", "all_queries", "ask", "find_query", "queries_table"]

ADVICE = "List them with 'lib-graph queries'."
DECLARED = re.compile(r"^// \$(\w+) \(([^,)]+)(, required)?\): (.*)$", re.MULTILINE)
VALUE = re.compile(r"^// :param (\w+) => (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Parameter:
    """A parameter of a query. `value` is its default, or an example if it is `required`."""

    name: str
    kind: str
    about: str
    value: Any
    required: bool


@dataclass(frozen=True)
class NamedQuery:
    """A text of the library. `notes` say what the columns mean, `needs` what must be stored."""

    name: str
    title: str
    question: str
    notes: str
    needs: str | None
    parameters: tuple[Parameter, ...]
    text: str


def all_queries() -> tuple[NamedQuery, ...]:
    """Return the library, by name."""
    return tuple(_read(path.stem) for path in sorted((CYPHER / "library").glob("*.cypher")))


def find_query(name: str) -> NamedQuery:
    """Return the query called `name`; raise NotFoundError with the closest name.

    >>> find_query("hubs").question
    'Which features interact most, by total strength or by number of interactions?'
    """
    known = [path.stem for path in sorted((CYPHER / "library").glob("*.cypher"))]
    if name not in known:
        raise NotFoundError("query", name, known, ADVICE)
    return _read(name)


def queries_table() -> Table:
    """Return a row per query: name, title, question, parameters (a list of names)."""
    import pandas as pd

    rows = [
        (each.name, each.title, each.question, [parameter.name for parameter in each.parameters])
        for each in all_queries()
    ]
    return Table(pd.DataFrame(rows, columns=["name", "title", "question", "parameters"]))


def ask(reader: Reader, query: NamedQuery, given: Mapping[str, Any]) -> Table:
    """Return the rows of a query for the run of `reader`.

    Raises NotFoundError for a parameter that the query does not have, UsageError for one that is
    missing or of another kind.
    """
    known = {parameter.name: parameter for parameter in query.parameters}
    for name in given:
        if name not in known:
            advice = f"See them with 'lib-graph queries {query.name}'."
            raise NotFoundError(f"parameter of the query '{query.name}'", name, known, advice)
    values = {name: _value(reader, query, known[name], given) for name in known}
    return Table(reader.frame(query.text, **values), reader.statements)


def _value(
    reader: Reader, query: NamedQuery, parameter: Parameter, given: Mapping[str, Any]
) -> Any:
    if parameter.name not in given:
        if parameter.required:
            raise UsageError(
                f"The query '{query.name}' needs a value for {parameter.name} ({parameter.kind}): "
                f"{parameter.about}."
            )
        return parameter.value
    value = given[parameter.name]
    if value is None and parameter.value is None:
        return None
    return read_parameter(reader, parameter.name, parameter.kind, value)


@cache
def _read(name: str) -> NamedQuery:
    text = read_text(f"library/{name}")
    values = {key: json.loads(x.replace("'", '"')) for key, x in VALUE.findall(text)}
    head = text.partition("\n// $")[0].partition("\n// :param")[0]
    title, question, *notes = [line.removeprefix("//").strip() for line in head.splitlines()]
    return NamedQuery(
        name=name,
        title=title,
        question=question,
        notes=" ".join(line for line in notes if line and not line.startswith("Needs ")),
        needs=next((line for line in notes if line.startswith("Needs ")), None),
        parameters=tuple(
            Parameter(key, kind, about, values[key], bool(required))
            for key, kind, required, about in DECLARED.findall(text)
        ),
        text=text,
    )
