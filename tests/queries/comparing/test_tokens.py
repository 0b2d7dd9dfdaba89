"""Traces and attribution graphs of one prompt token by token, against sums of their own."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

import lib_graph
from lib_graph.analysis.trace import trace
from lib_graph.data.text import Text
from lib_graph.networks import load_subject
from lib_graph.run import Run
from queries.comparing.runs import compare_runs, open_graphs
from queries.comparing.tokens import _places, aligned
from tests.prompts import random_graph
from tests.queries.conftest import Answer

Cli = Callable[..., Answer]
EXAMPLE = Path(__file__).parents[3] / "examples" / "gpt-neo-8x64"
PROMPT = "Once upon a time, Tom ran."
OF_TRACE = ["<s>", " Once", " upon", " a", " time", ",", " T", "om", " r", "an", "."]
OF_GRAPH = ["<bos>", "Once", " up", "on", " a", " time,", " Tom", "⏎"]


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A trace of the last block of the example, its attention and its MLP."""
    folder = tmp_path_factory.mktemp("traced")
    (folder / "story.txt").write_text("Tom had a big red ball. He ran to the park. " * 4)
    subject = load_subject(EXAMPLE, Text(folder / "story.txt", context=8, tokens=32))
    names = ("ln1.7", "ln2.7", "ln_final")
    subject = replace(subject, layers={name: subject.layers[name] for name in names})
    options = lib_graph.Options(basis="pca", last="pca")
    run = lib_graph.build(subject, folder / "run", options)
    return trace(run, folder / "trace", PROMPT, subject=subject)


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path = random_graph(tmp_path / "graph.json", 3, positions=len(OF_GRAPH), density=0.2, seed=5)
    value = json.loads(path.read_text())
    value["metadata"] |= {"prompt_tokens": OF_GRAPH, "prompt": "".join(OF_GRAPH), "slug": "tom"}
    path.write_text(json.dumps(value))
    return path


def by_forward_mode(run: Run) -> dict[str, torch.Tensor]:
    """Σ_j A_itj² / S of each target layer, t × i, from transformers' own block alone."""
    model: Any = AutoModelForCausalLM.from_pretrained(EXAMPLE, dtype=torch.float64)
    model.set_attn_implementation("eager")
    block, numbers = model.transformer.h[7], load_file(run.path / "bases.safetensors")
    tokens = torch.tensor([model_tokens()])
    kept: list[torch.Tensor] = []
    hook = block.register_forward_pre_hook(lambda _, given: kept.append(given[0].detach()))
    with torch.no_grad():
        model(tokens)
    hook.remove()

    def attention(f: torch.Tensor) -> torch.Tensor:
        mask = torch.full((f.shape[1],) * 2, -torch.inf, dtype=f.dtype).triu(1)[None, None]
        return f + block.attn(block.ln_1(f), attention_mask=mask)[0]

    def mlp(f: torch.Tensor) -> torch.Tensor:
        return f + block.mlp(block.ln_2(f))

    found, f = {}, kept[0]
    halves = [("ln1.7", "ln2.7", attention), ("ln2.7", "ln_final", mlp)]
    for source, target, half in halves:
        rotation, inverse, mean = (
            numbers[f"{source}.{part}"].double() for part in ("rotation", "inverse", "mean")
        )
        features = (f - mean) @ rotation
        total = torch.zeros(())
        for j in range(rotation.shape[1]):
            tangent = features[..., j, None] * inverse[j]
            _, moved = torch.func.jvp(half, (f,), (tangent,))
            total = total + (moved[0] @ numbers[f"{target}.rotation"].double()) ** 2
        found[target] = total.detach() / f.shape[1]
        f = half(f).detach()
    return found


def model_tokens() -> list[int]:
    from transformers import AutoTokenizer

    found: list[int] = AutoTokenizer.from_pretrained(EXAMPLE)(PROMPT)["input_ids"]
    return found


def carrying(values: list[float]) -> int:
    """How many of the largest numbers make up 90 % of all."""
    falling, taken = sorted(values, reverse=True), 0
    while sum(falling[:taken]) < 0.9 * sum(falling) * (1 - 1e-9):
        taken += 1
    return taken


@pytest.mark.slow
def test_a_trace_says_what_flows_in_at_each_token(traced: Run) -> None:
    kept = traced.manifest.traced
    assert kept is not None
    assert list(kept.tokens) == OF_TRACE
    expected = by_forward_mode(traced)
    assert [layer.layer for layer in kept.layers] == list(expected)
    for layer in kept.layers:
        strength = expected[layer.layer].numpy()
        assert np.allclose(
            layer.strength, strength.sum(1), rtol=1e-5
        )  # its attention is in float32
        assert list(layer.nodes) == (strength > 0).sum(1).tolist()
        near = [carrying(row) for row in strength.tolist()]
        assert np.abs(np.array(layer.for_90) - near).max() <= 1  # of rounding
        rows = traced.interactions.query("target_layer == @layer.layer and source != 0")
        assert sum(layer.strength) == pytest.approx(rows["strength"].sum(), rel=1e-5)


@pytest.mark.slow
def test_a_trace_and_a_graph_stand_side_by_side(traced: Run, graph: Path) -> None:
    with open_graphs([str(traced.path), str(graph)]) as graphs:
        found = compare_runs(graphs, null=1, seeds=1).tokens
    texts = found.drop_duplicates(["place", "name"]).groupby("place")["token"].agg(list).tolist()
    assert texts == [
        ["<s>"], ["<bos>"], [" Once", "Once"], [" upon", " upon"], [" a", " a"],
        [" time,", " time,"], [" Tom", " Tom"], [" r"], ["an"], ["."], ["⏎"],
    ]  # fmt: skip
    kept = traced.manifest.traced
    assert kept is not None
    own = found[found["run"] == traced.id].set_index(["layer", "place"])
    tokens_at = [[0], [], [1], [2], [3], [4, 5], [6, 7], [8], [9], [10], []]
    for layer in kept.layers:
        for place, tokens in enumerate(tokens_at):
            if not tokens:
                assert (layer.layer, place) not in own.index
                continue
            row = own.loc[(layer.layer, place)]
            strength = sum(layer.strength[t] for t in tokens)
            assert row["strength"] == pytest.approx(strength)
            assert row["share"] == pytest.approx(strength / sum(layer.strength))
            assert row["nodes"] == sum(layer.nodes[t] for t in tokens)
            assert row["for_90"] == sum(layer.for_90[t] for t in tokens)
    _assert_of_file(found[found["run"] != traced.id], graph)


def _assert_of_file(found: Any, graph: Path) -> None:
    value = json.loads(graph.read_text())
    into: dict[str, float] = defaultdict(float)
    for link in value["links"]:
        into[link["target"]] += abs(link["weight"])
    at = {place: number for number, places in enumerate(
        [[], [0], [1], [2, 3], [4], [5], [6], [], [], [], [7]]) for place in places}  # fmt: skip
    nodes: dict[tuple[str, int], list[tuple[int, float]]] = defaultdict(list)
    for node in value["nodes"]:
        layer = "logits" if node["feature_type"] == "logit" else node["layer"]
        place = at[node["ctx_idx"]]
        nodes[layer, place].append((node["ctx_idx"], into[node["node_id"]]))
    totals = {name: sum(x for (layer, _), row in nodes.items() if layer == name for _, x in row)
              for name in ("E", "0", "1", "2", "logits")}  # fmt: skip
    rows = {(row.layer, row.place): row for row in found.itertuples()}
    assert {key for key, row in rows.items() if row.nodes} == set(nodes)
    for key, held in nodes.items():
        row, total = rows[key], sum(x for _, x in held)
        assert row.nodes == len(held)
        assert row.strength == pytest.approx(total)
        by_token = [[x for t, x in held if t == token] for token in {t for t, _ in held}]
        assert row.for_90 == sum(carrying(values) for values in by_token)
        if totals[key[0]]:
            assert row.share == pytest.approx(total / totals[key[0]])
        else:
            assert np.isnan(row.share)


@pytest.mark.slow
def test_the_command_shows_it_and_leaves_it_out_of_other_runs(
    traced: Run, graph: Path, tmp_path: Path, cli: Cli
) -> None:
    shown = cli("compare", traced.path, graph, "--null", 1)
    (line,) = [line for line in shown.out.splitlines() if line.startswith(" 0  <s>")]
    assert line.split()[-1].endswith("%")
    assert shown.code == 0
    other = shutil.copytree(traced.path.parent / "run", tmp_path / "run")
    found = json.loads(cli("compare", traced.path, other, "--null", 1, "--json").out)
    assert set(found) == {"runs", "layers"}


@pytest.mark.parametrize(
    ("first", "other", "expected"),
    [
        (["a", " b"], ["a", "b"], [("a", "a"), (" b", "b")]),
        (["<bos>", "Dall", "as"], ["Dallas"], [("<bos>", ""), ("Dallas", "Dallas")]),
        (["ab", "c"], ["a", "bc"], [("abc", "abc")]),
        (["the", " cat"], ["the", " dog"], [("the", "the"), (" cat", ""), ("", " dog")]),
        (["\n", " ", " "], ["⏎", " "], [("\n", "⏎"), (" ", " "), (" ", "")]),
        ([], ["x"], [("", "x")]),
    ],
)
def test_tokens_of_the_same_text_stand_together(
    first: list[str], other: list[str], expected: list[tuple[str, str]]
) -> None:
    found = aligned(first, other)
    texts = [("".join(first[t] for t in a), "".join(other[t] for t in b)) for a, b in found]
    assert texts == expected
    assert [t for a, _ in found for t in a] == list(range(len(first)))
    assert [t for _, b in found for t in b] == list(range(len(other)))


def test_three_texts_have_each_token_once() -> None:
    texts = [["<s>", "ab", "c", "d"], ["a", "bc", "d", "!"], ["?", "a", "b", "c", "d"]]
    places = _places(texts)
    assert [["".join(text[t] for t in at) for text, at in zip(texts, place, strict=True)]
            for place in places] == [
        ["<s>", "", ""], ["", "", "?"], ["abc", "abc", "abc"], ["d", "d", "d"], ["", "!", ""],
    ]  # fmt: skip
    for number, text in enumerate(texts):
        assert [t for place in places for t in place[number]] == list(range(len(text)))


def test_what_one_text_has_alone_may_stand_within_what_another_has_in_one() -> None:
    texts = [["ab", "cd"], ["ab", "!", "cd"], ["abcd"]]
    assert _places(texts) == [[[], [1], []], [range(2), [0, 2], [0]]]
