"""The page that answers whether LIB helps on language models says what the command wrote."""

import json
import re
from pathlib import Path

import pytest

from queries.comparing.study_tables import Study
from queries.pictures.study import PICTURES
from queries.views.study import markdown_tables

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "language-models-results.md").read_text(encoding="utf-8")
FOLDER = DOCS / "language-models-results"
STUDY = Study.of_json(json.loads((FOLDER / "results.json").read_text(encoding="utf-8")))
TABLES = markdown_tables(STUDY)


@pytest.mark.parametrize("title", TABLES)
def test_each_table_of_the_page_is_that_of_the_results(title):
    assert TABLES[title] in PAGE


def test_the_page_has_no_other_table():
    rows = sum(line.startswith("|") for line in PAGE.splitlines())
    assert rows == sum(len(table.splitlines()) for table in TABLES.values())


def test_the_pictures_are_there():
    for name in PICTURES:
        assert f"(language-models-results/{name}.svg)" in PAGE
        assert "<path" in (FOLDER / f"{name}.svg").read_text(encoding="utf-8")


def test_numbers_that_the_text_repeats_are_in_the_tables():
    """Numbers in bold, on the page and in the README's section, stand in a cell of a table."""
    cells = set(re.findall(r"\d+(?:\.\d+)?", "\n".join(TABLES.values())))
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    section = readme.split("## What LIB is good for")[1].split("\n## ")[0]
    for text, least in ((PAGE, 6), (section, 4)):
        bold = re.findall(r"\*\*(\d+(?:\.\d+)?)\*\*", text)
        assert len(bold) >= least
        assert set(bold) <= cells
