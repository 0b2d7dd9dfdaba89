"""What a study of language models refuses, and what is kept where it does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lib_graph.building.build import build
from lib_graph.building.options import Options
from lib_graph.data.text import Text
from lib_graph.errors import ModelError, NotFoundError, UsageError
from lib_graph.networks import load_subject, shipped_model
from queries.comparing.language_models import Budget, Lessons, Study, study
from queries.pictures.study import PICTURES
from tests.queries.comparing.studies import (
    CONTEXT,
    Arguments,
    study_of_rounds,
)
from tests.queries.conftest import Answer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Arguments:
    return study_of_rounds(tmp_path_factory.mktemp("study"))


def test_bad_input_is_one_line(
    given: Arguments, tmp_path: Path, cli: Callable[..., Answer]
) -> None:
    file = given["text"].file
    few = {**given, "text": Text(file, CONTEXT, 60), "out": tmp_path}
    with pytest.raises(UsageError, match=r"60 tokens are too few .* 8 coordinates .* at least 96"):
        study(**few)
    with pytest.raises(NotFoundError, match="random"):
        study(**{**given, "bases": ["pca", "randon"]})
    with pytest.raises(UsageError, match="Add it to --bases"):
        study(**{**given, "bases": ["lib"]})
    with pytest.raises(UsageError, match="pca is the only basis"):
        study(**{**given, "bases": ["pca"]})
    with pytest.raises(UsageError, match="called the same"):
        study(**{**given, "models": given["models"] * 2})
    with pytest.raises(UsageError, match="seeds is 0"):
        study(**{**given, "seeds": 0})
    with pytest.raises(NotFoundError, match="dictionary-N"):
        study(**{**given, "bases": ["pca", "dictionary-0"]})
    with pytest.raises(UsageError, match="is no language model"):
        study(**{**given, "models": [str(shipped_model())]})
    with pytest.raises(UsageError, match="delta is 2"):
        Budget((0.1, 2))
    with pytest.raises(UsageError, match="each once"):
        Budget((0.1, 0.1))
    with pytest.raises(UsageError, match="draws is 3"):
        Budget(draws=3)
    answer = cli("reproduce", "language-models", *given["models"], "--text", str(file),
                 "--context", str(CONTEXT), "--tokens", "60", "--out", str(tmp_path))  # fmt: skip
    assert answer.code == 2
    assert "60 tokens are too few" in answer.err
    answer = cli("reproduce", "language-models", *given["models"], "--text", str(file),
                 "--delta", "0.1,much", "--out", str(tmp_path))  # fmt: skip
    assert answer.code == 2
    assert "--delta is '0.1,much'" in answer.err


def test_a_dictionary_that_explains_nothing_is_refused(given: Arguments, tmp_path: Path) -> None:
    """64 features that are all active where they are positive make four times of what there is."""
    more = tmp_path / "more.txt"
    more.write_text(" ".join([given["text"].file.read_text()] * 3))
    lessons = Lessons(Text(more, CONTEXT, 80 * CONTEXT), k=64, steps=1)
    with pytest.raises(ModelError, match=r"layer '.*' explains nothing: .* times the variance"):
        study(**{**given, "bases": ["pca", "dictionary-8"], "lessons": lessons})
    assert not [*(given["out"] / "dictionaries").glob("*dictionary-8*")]


def test_a_loss_that_the_whole_graph_does_not_keep_is_refused(
    given: Arguments, tmp_path: Path
) -> None:
    """A graph that was built with few features is taken as it is, and does not keep the score."""
    subject = load_subject(given["models"][0], given["text"])
    build(subject, tmp_path / "tiny-pca", Options(basis="pca", tau_pca=0.1), name="tiny-pca")
    budget = Budget((1e-4,), answers=55, draws=20)
    with pytest.raises(UsageError, match=r"Not even all of the .*cross-entropy within"):
        study(**{**given, "out": tmp_path, "bases": ["pca", "lib"], "budget": budget})


def test_what_one_network_says_is_written_before_the_next_is_asked(
    given: Arguments, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(given["models"][0], other)
    subject = load_subject(str(other), given["text"])
    build(subject, tmp_path / "other-pca", Options(basis="pca", tau_pca=0.1), name="other-pca")
    models, budget = [given["models"][0], str(other)], Budget((1e-4,), answers=55, draws=20)
    with pytest.raises(UsageError, match=r"Not even all of the .*cross-entropy within"):
        study(
            **{**given, "models": models, "out": tmp_path, "bases": ["pca", "lib"],
               "budget": budget}
        )  # fmt: skip
    written = Study.of_json(json.loads((tmp_path / "results.json").read_text(encoding="utf-8")))
    assert set(written.scores["network"]) == {"tiny"}
    assert set(written.modules["network"]) == {"tiny"}
    assert {file.stem for file in tmp_path.glob("*.svg")} == set(PICTURES)
