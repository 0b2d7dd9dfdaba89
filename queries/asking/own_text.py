"""What a text of somebody else's may not do: read files, or reach the network.

A read-only session keeps a text from writing to the graph, but not from reading what the machine of
the store can reach: LOAD CSV takes a path or an address, and so do procedures of APOC. What is
refused is refused wherever the words stand, in a string or a comment too: nobody has to read Cypher
here as a store does.
"""

from __future__ import annotations

import re

from lib_graph.errors import UsageError

__all__ = ["check_own_text"]

SPACE = r"(?:\s|/\*.*?\*/|//[^\n]*\n)"
LOAD = re.compile(rf"LOAD{SPACE}+CSV", re.IGNORECASE | re.DOTALL)
APOC = re.compile(rf"\bapoc\b`?{SPACE}*\.", re.IGNORECASE | re.DOTALL)
CALL = re.compile(rf"\bCALL{SPACE}+(`?[^\W\d]\w*`?){SPACE}*\.", re.IGNORECASE | re.DOTALL)
CODED = re.compile(r"\\u+([0-9a-fA-F]{4})")
NAMESPACES = ("db", "gds")


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
        if APOC.search(form):
            raise _refused("APOC", "can read files and reach the network")
        for found in CALL.finditer(form):
            namespace = found[1].strip("`").lower()
            if namespace not in NAMESPACES:
                raise _refused(f"procedures of {namespace!r}", "may do more than read the graph")


def _refused(what: str, why: str) -> UsageError:
    return UsageError(f"A text may not use {what} here, which {why}. Ask the graph alone.")
