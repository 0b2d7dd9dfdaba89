from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lib_graph.errors import UsageError
from lib_graph.run.circuit import CircuitFile, Scores, read_circuit

INTERACTION = {
    "source": "0123456789ab/in/1", "target": "0123456789ab/out/0", "strength": 2, "stderr": 0.5,
    "effect": None, "share": 1.0, "source_label": "k=15", "target_label": "",
}  # fmt: skip
FEATURE = {
    "id": "0123456789ab/in/1", "layer": "in", "layer_index": 0, "index": 1, "role": "feature",
    "importance": None, "variance": 0.25, "label": "k=15",
}  # fmt: skip
CIRCUIT: dict[str, Any] = {
    "run": "0123456789ab", "name": "five", "query": {"size": 1, "source": "in"}, "score": 0.5,
    "baseline": 1.0, "random_score": 0.125, "metric": "accuracy", "answers": None,
    "features": [FEATURE], "interactions": [INTERACTION],
}  # fmt: skip


def read(tmp_path: Path, value: object) -> CircuitFile:
    path = tmp_path / "circuit.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return read_circuit(path)


def test_what_is_written_is_what_was_read(tmp_path: Path) -> None:
    found = read(tmp_path, CIRCUIT)
    assert found.scores() == Scores(0.5, 1.0, 0.125, "accuracy")
    assert found.pairs() == [("0123456789ab/in/1", "0123456789ab/out/0")]
    found.write(tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text()) == CIRCUIT
    assert read_circuit(tmp_path / "again.json") == found


def test_a_circuit_by_hand_needs_little_and_is_written_whole(tmp_path: Path) -> None:
    needed = {name: INTERACTION[name] for name in ("source", "target", "strength")}
    found = read(tmp_path, {"run": "0123456789ab", "interactions": [needed]})
    assert found.scores() is None
    written = found.json_value()
    assert list(written) == list(CIRCUIT)
    assert list(written["interactions"][0]) == list(INTERACTION)
    assert found.scored(Scores(0.5, 1.0, 0.125)).scores() == Scores(0.5, 1.0, 0.125)


def changed(where: str, **change: Any) -> dict[str, Any]:
    return {**CIRCUIT, where: [{**CIRCUIT[where][0], **change}]}


def without(value: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key != name}


@pytest.mark.parametrize(
    ("value", "field"),
    [
        *((without(CIRCUIT, name), name) for name in ("run", "interactions")),
        *(({**CIRCUIT, name: {"a": 1}}, name) for name in CIRCUIT if name != "query"),
        ({**CIRCUIT, "query": "all"}, "query"),
        ({**CIRCUIT, "delta": 0.1}, "delta"),
        *(
            ({**CIRCUIT, "interactions": [without(INTERACTION, name)]}, f"interactions.0.{name}")
            for name in ("source", "target", "strength")
        ),
        *(
            (changed("interactions", **{name: [1]}), f"interactions.0.{name}")
            for name in INTERACTION
        ),
        *((changed("features", **{name: [1]}), f"features.0.{name}") for name in FEATURE),
        *(
            ({**CIRCUIT, "features": [without(FEATURE, name)]}, f"features.0.{name}")
            for name in FEATURE
        ),
        (changed("interactions", strength="2"), "interactions.0.strength"),
        (changed("interactions", lable="k"), "interactions.0.lable"),
        (
            {**CIRCUIT, "baseline": None},
            "the file: Value error, score and random_score without",
        ),
        ([], "the file"),
        ("{", "the file"),
        (json.dumps(CIRCUIT).replace("0.25", "NaN"), "features.0.variance"),
    ],
)
def test_a_field_that_is_missing_or_wrong_is_named(
    tmp_path: Path, value: object, field: str
) -> None:
    with pytest.raises(UsageError) as error:
        read(tmp_path, value)
    said = str(error.value)
    assert f"circuit.json' is no circuit ({field}" in said
    assert "\n" not in said


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.json' cannot be read: No such file or directory"):
        read_circuit(tmp_path / "none.json")
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        read_circuit(tmp_path)
