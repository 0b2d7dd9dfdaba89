"""An HTML page as a test sees it: elements in order, ids, references, texts and tables."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "img"}


class Page(HTMLParser):
    """A page that is well formed: every element is closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.attributes: set[str] = set()
        self.texts: dict[str, str] = {}  # of each section, by its id
        self.tables: dict[str, list[list[list[str]]]] = {}
        self.commands: dict[str, list[str]] = {}
        self._open: list[str] = []
        self._section = ""
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "xlink:href", "srcset", "data", "action"):
                self.references.append(value or "")
        if tag == "section":
            self._section = self.ids[-1]
            self.tables[self._section], self.commands[self._section] = [], []
        if tag == "table":
            self.tables[self._section].append([])
        if tag == "tr":
            self.tables[self._section][-1].append([])
        if tag in ("td", "th"):
            self.tables[self._section][-1][-1].append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if tag == "section":
            self._section = ""

    def handle_data(self, data: str) -> None:
        self.texts[self._section] = self.texts.get(self._section, "") + data
        if {"td", "th"} & set(self._open):
            self.tables[self._section][-1][-1][-1] += data
        if self._open and self._open[-1] == "code":
            self.commands[self._section] += data.splitlines()

    def rows(self, section: str, table: int = 0) -> list[dict[str, str]]:
        """Return the rows of a table by the names of its columns."""
        head, *rows = self.tables[section][table]
        return [dict(zip(head, row, strict=True)) for row in rows]
