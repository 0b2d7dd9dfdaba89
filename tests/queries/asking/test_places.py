from __future__ import annotations

import pytest

from lib_graph.errors import NotFoundError, UsageError
from queries.asking.places import StoredLayer, find_layer, find_place

RUN = "0123456789ab"
NAMES = ("embed", "blocks/0.mlp", "blocks/0.mlp/1", "output")
LAYERS = [StoredLayer(i, name, 5, 4) for i, name in enumerate(NAMES)]


@pytest.mark.parametrize(
    ("text", "layer", "index"),
    [
        ("embed", "embed", None),
        ("embed/3", "embed", 3),
        ("blocks/0.mlp", "blocks/0.mlp", None),
        ("blocks/0.mlp/2", "blocks/0.mlp", 2),
        ("blocks/0.mlp/1/2", "blocks/0.mlp/1", 2),
        (f"{RUN}/output/0", "output", 0),
        (f"{RUN}/blocks/0.mlp/1", "blocks/0.mlp", 1),
        (f"{RUN}/output", "output", None),
    ],
)
def test_a_place_is_a_layer_or_a_feature(text: str, layer: str, index: int | None) -> None:
    place = find_place(text, LAYERS, RUN)
    assert (place.layer.name, place.index) == (layer, index)


def test_a_text_that_can_be_read_in_two_ways_is_refused() -> None:
    with pytest.raises(UsageError, match="is a layer, and also feature 1"):
        find_place("blocks/0.mlp/1", LAYERS, RUN)


@pytest.mark.parametrize(
    ("text", "closest"),
    [("outputs", "output"), ("outpu/3", "output"), ("blocks/0.mpl/12", "blocks/0.mlp")],
)
def test_an_unknown_layer_names_the_closest(text: str, closest: str) -> None:
    with pytest.raises(NotFoundError, match=f"Closest: '{closest}"):
        find_place(text, LAYERS, RUN)


def test_a_layer_has_to_be_named_in_full() -> None:
    assert find_layer("output", LAYERS) is LAYERS[3]
    with pytest.raises(NotFoundError, match="Closest: 'output'"):
        find_layer("out", LAYERS)
