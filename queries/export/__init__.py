"""Features, interactions and circuits as files that other programs read (docs/formats.md)."""

from queries.export.formats import FORMATS, Format, format_of
from queries.export.rows import export_circuit, export_features, export_interactions

__all__ = [
    "FORMATS",
    "Format",
    "export_circuit",
    "export_features",
    "export_interactions",
    "format_of",
]
