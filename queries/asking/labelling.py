"""The label of a feature, written into a store."""

from __future__ import annotations

from lib_graph.errors import NotFoundError
from lib_graph.run.labels import as_label
from queries.asking.places import ADVICE, Place
from queries.asking.reader import Reader
from queries.asking.statements import read_text

__all__ = ["label_feature"]


def label_feature(reader: Reader, place: Place, text: str) -> None:
    """Write the label of the feature at a place.

    Raises UsageError for a text that is no label, NotFoundError for a feature that is not there.
    """
    values = {"run": reader.run, "id": f"{reader.run}/{place}", "label": as_label(text)}
    rows = reader.store.transact(lambda tx: tx.execute(read_text("writing/label_feature"), values))
    if not rows[0]["labelled"]:
        known = reader.frame(read_text("features"), layer=place.layer.index)["id"]
        raise NotFoundError("feature", str(place), known, ADVICE)
