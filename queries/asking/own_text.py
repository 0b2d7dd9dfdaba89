"""What a text of somebody else's may not do: read files, reach the network, or ask the server.

A read-only session keeps a text from writing to the graph, but not from reading what the machine of
the store can reach: LOAD CSV takes a path or an address, and so do procedures of APOC. What is
refused is refused wherever the words stand, in a string or a comment too: nobody has to read Cypher
here as a store does.
"""

from __future__ import annotations

import re

from lib_graph.errors import UsageError

__all__ = ["check_own_text"]

SPACE = r"(?:[\s`]|/\*(?:[^*]|\*(?!/))*\*/|//[^\r\n]*(?=[\r\n]|\Z))"
LOAD = re.compile(rf"LOAD{SPACE}+CSV", re.IGNORECASE)
REACHING = re.compile(rf"\b(apoc|genai){SPACE}*\.", re.IGNORECASE)
NAME = r"[^\W\d]\w*"
CALL = re.compile(rf"\bCALL{SPACE}+({NAME}(?:{SPACE}*\.{SPACE}*{NAME})+)", re.IGNORECASE)
OF_THE_SERVER = re.compile(rf"\A{SPACE}*(SHOW|TERMINATE|USE)\b", re.IGNORECASE)
CODED = re.compile(r"\\u+([0-9a-fA-F]{4})")
OF_THE_GRAPH = re.compile(
    r"db\.(labels|relationshiptypes|propertykeys|info|ping|schema\.\w+"
    r"|index\.(fulltext|vector)\.query\w+)"
    r"|gds\.(list|version|debug\.\w+|graph\.(project(\.\w+)*|list|exists|drop)"
    r"|(\w+\.)+(stream|stats|estimate))"
)
"""Procedures that only look at the graph, or at a copy of it in the server's memory"""


def check_own_text(text: str) -> None:
    """Raise UsageError for a text that could read files or reach the network.

    >>> check_own_text("MATCH (f:Feature) RETURN f.id")
    >>> check_own_text("LOAD CSV FROM 'file:///etc/passwd' AS row RETURN row")
    Traceback (most recent call last):
    lib_graph.errors.UsageError: A text may not use LOAD CSV here, which reads files...
    """
    plain = CODED.sub(lambda found: chr(int(found[1], 16)), text)  # as Cypher does, first of all
    for form in (text, plain):
        if LOAD.search(form):
            raise _refused("LOAD CSV", "reads files and reaches the network")
        if found := REACHING.search(form):
            raise _refused(found[1].upper(), "can read files and reach the network")
        if found := OF_THE_SERVER.match(form):
            raise _refused(found[1].upper(), "is of the server, not of the graph")
        for found in CALL.finditer(form):
            procedure = re.sub(SPACE, "", found[1]).lower()
            if not OF_THE_GRAPH.fullmatch(procedure):
                raise _refused(f"the procedure {procedure}", "may do more than read the graph")


def _refused(what: str, why: str) -> UsageError:
    return UsageError(f"A text may not use {what} here, which {why}. Ask the graph alone.")
