"""Dictionaries, transcoders and bases in the layouts that other libraries write.

`read_dictionaries` recognises them; each layout has a file of its own, whose `read` takes `Files`
and returns what it found, or None where they are of another layout. What is in them is data: no
pickle is run.
"""

from lib_graph.dictionaries.found import Found
from lib_graph.dictionaries.registry import FORMATS, read_dictionaries

__all__ = ["FORMATS", "Found", "read_dictionaries"]
