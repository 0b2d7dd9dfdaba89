"""What is asked for as a place, or as a layer's place."""

from __future__ import annotations

import pytest

from lib_graph.dictionaries.fitting import Wanted, wanted_of
from lib_graph.errors import UsageError


@pytest.mark.parametrize("text", ["ln1.0=", "=saes", "="])
def test_half_of_a_layers_place_is_refused(text):
    """An empty place would be the working folder, and whatever lies there be taken."""
    with pytest.raises(UsageError, match=r"is incomplete\. Write LAYER=PLACE"):
        wanted_of(text)


def test_a_folder_with_such_a_name_is_a_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "k=").mkdir()
    assert wanted_of("k=") == Wanted(tmp_path.relative_to(tmp_path) / "k=")
