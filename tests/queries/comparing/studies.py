"""A study of a small language model that has learnt something."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformers import AutoModelForCausalLM

from lib_graph.analysis.reopening import Reopened
from lib_graph.data.text import Text
from lib_graph.support.progress import SILENT
from queries.comparing.language_models import Budget, Lessons
from tests.lib_graph.language_models import ENDS, WORDS, save_tokenizer

CONTEXT, ROWS = 12, 16
DELTAS = (0.3, 0.5)
BUDGET = Budget(DELTAS, answers=55, draws=20)
LESSONS = Lessons(k=4, steps=60)
CASES = ("pca", "lib", "random 0", "random 1", "dictionary-2 0", "dictionary-2 1")
LINEAR = CASES[:4]
Arguments = dict[str, Any]


class Said:
    """Progress that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def stage(self, name: str, total: int) -> Any:
        self.lines.append(name)
        return SILENT.stage(name, total)


def story(generator: torch.Generator) -> list[int]:
    """Words that follow each other in a round, but for every fifth."""
    words = [2]
    for jump in (torch.rand(400, generator=generator) < 0.2).tolist():
        step = int(torch.randint(8, (1,), generator=generator)) if jump else 1
        words.append(2 + (words[-1] - 2 + step) % 8)
    return words


def study_of_rounds(folder: Path) -> Arguments:
    """The arguments of a study, in a folder: a network that has learnt something, and a text."""
    generator = torch.Generator().manual_seed(0)
    words = story(generator)
    config = transformers.GPT2Config(
        n_layer=1, n_embd=8, n_head=2, n_positions=CONTEXT, resid_pdrop=0.0, embd_pdrop=0.0,
        attn_pdrop=0.0, **ENDS,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config)
    optimizer = torch.optim.Adam(model.parameters(), 0.03)
    rows = torch.tensor(words[: 33 * CONTEXT]).view(-1, CONTEXT)
    for _ in range(60):
        optimizer.zero_grad()
        model(rows, labels=rows).loss.backward()
        optimizer.step()
    model.save_pretrained(folder / "tiny")
    save_tokenizer(folder / "tiny")
    (folder / "story.txt").write_text(" ".join(WORDS[word] for word in words))
    text = Text(folder / "story.txt", CONTEXT, CONTEXT * ROWS)
    return {"models": [str(folder / "tiny")], "text": text, "out": folder / "out",
            "bases": ["pca", "lib", "random", "dictionary-2"], "seeds": 2, "budget": BUDGET,
            "lessons": LESSONS, "partitions": 2, "null": 2}  # fmt: skip


def by_jacobian(section: Any, batch: Any, own: Reopened) -> Any:
    """Σ_t (Σ_s ∂f̂'_tj/∂f_s · D_i f̂_si)², an output and a sequence at a time."""
    source, target = (own.bases[end.name] for end in (section.source, section.target))
    f = batch.activations[section.source.index].detach().clone().requires_grad_(True)
    features = target.coordinates(section(f, batch.constants))
    directions = source.coordinates(f.detach())[0, :, :, None] * source.inverse
    found = np.zeros((source.features, target.features))
    for t in range(features.shape[1]):
        for j in range(features.shape[2]):
            (slope,) = torch.autograd.grad(features[0, t, j], f, retain_graph=True)
            found[:, j] += torch.einsum("srd,sd->r", directions, slope[0]).square().numpy()
    return found
