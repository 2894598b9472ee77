"""Minutes: how long a chapter takes to read, section by section, counted from its notebook.

What folds away (set-up, plotting, solutions) is not counted: a reader may leave it closed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from quire.workbook import charts
from quire.workbook.entries import CLAIM_MIME
from quire.workbook.notebooks import is_injected, tags

WORDS_A_MINUTE = 180
"""Words of prose that a reader who thinks along takes in."""

SECONDS: Mapping[str, float] = {"formula": 20, "chart": 45, "table": 30, "code": 20, "verdict": 15}
"""What else a reader stops at: a displayed formula, a chart, a table, a visible cell, a verdict."""

OPENING = "Opening"
"""The name of what stands before the first section."""

_FOLDED = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{(?:solution|admonition|dropdown)\}.*?^(?P=fence)\s*$", re.M | re.S
)
_CODE = re.compile(r"^(?P<fence>`{3,}|~{3,}).*?^(?P=fence)\s*$", re.M | re.S)
_DISPLAYED = re.compile(r"\$\$.+?\$\$", re.S)
_HEADING = re.compile(r"^(#{2,3}) +(.+?)\s*$", re.M)


@dataclass
class Section:
    """A section or subsection of a chapter, and what there is in it to read.

    Attributes
    ----------
    heading
        Its heading; `OPENING` before the first one.
    above
        The heading of the section that holds it; its own for a section.
    words, stops
        Words of prose, and how many of each kind of `SECONDS` there are.
    claims
        The ids that its cells measure.
    """

    heading: str
    above: str
    words: int = 0
    stops: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SECONDS, 0))
    claims: list[str] = field(default_factory=list)

    @property
    def minutes(self) -> float:
        """The minutes that it takes to read."""
        stopped = sum(SECONDS[kind] * number for kind, number in self.stops.items())
        return self.words / WORDS_A_MINUTE + stopped / 60


def sections(notebook: Mapping[str, Any]) -> list[Section]:
    """Return the sections and subsections of an executed chapter, in their order."""
    found = [Section(OPENING, OPENING)]
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            for heading, level, text in _parts(str(cell["source"])):
                if heading:
                    above = heading if level == 2 else found[-1].above
                    found.append(Section(heading, above))
                _read(text, found[-1])
        elif cell["cell_type"] == "code" and not is_injected(cell):
            _look(cell, found[-1])
    return found


def minutes(notebook: Mapping[str, Any], *wanted: str) -> float:
    """Return the minutes that sections (with all below them) take; of the whole chapter if none.

    *Exercises*, *Checks* and *The ledger* are left out of the whole: they are worked and looked up.
    """
    apart = ("Exercises", "Checks", "The ledger")
    return sum(
        each.minutes
        for each in sections(notebook)
        if (each.above in wanted or each.heading in wanted if wanted else each.above not in apart)
    )


def prose(notebook: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (heading, text below it) of a chapter's prose, without code, formulas and links."""
    heading = OPENING
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            for found, _, text in _parts(str(cell["source"])):
                heading = found or heading
                plain = re.sub(r"`[^`]*`|\$\$.+?\$\$|\$[^$]+\$", " ", text, flags=re.S)
                yield heading, re.sub(r"\[[^\]]*\]\([^)]*\)|<[^>]*>", " ", plain)


def _parts(source: str) -> Iterator[tuple[str, int, str]]:
    """Yield (heading, its level, text below it) of a cell; no heading for what comes first."""
    text = _CODE.sub("", _FOLDED.sub("", source))
    places = [*_HEADING.finditer(text)]
    ends = [*(place.start() for place in places), len(text)]
    yield "", 0, text[: ends[0]]
    for place, end in zip(places, ends[1:], strict=True):
        yield place[2], len(place[1]), text[place.end() : end]


def _read(text: str, section: Section) -> None:
    section.stops["formula"] += len(_DISPLAYED.findall(text))
    plain = _DISPLAYED.sub("", text)
    section.stops["table"] += len(re.findall(r"^\|[\s:|-]+\|\s*$", plain, re.M))
    plain = re.sub(r"\$[^$\n]+\$|\([^)\s]+\)=|\{[a-z:]+\}`[^`]*`", " x ", plain)
    section.words += len(re.findall(r"[^\W_][\w'’.,%-]*", plain))


def _look(cell: Mapping[str, Any], section: Section) -> None:
    if not {"hide-input", "hide-cell", "remove-input", "parameters"} & set(tags(cell)):
        section.stops["code"] += 1
    if {"hide-output", "hide-cell"} & set(tags(cell)):
        return
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        if CLAIM_MIME in data:
            section.stops["verdict"] += 1
            section.claims.append(data[CLAIM_MIME]["id"])
        elif charts.VEGALITE_MIME in data:
            section.stops["chart"] += 1
        elif "text/html" in data:
            page = _Shown(_joined(data["text/html"]))
            section.words += page.words
            section.stops["table"] += page.tables


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


class _Shown(HTMLParser):
    """The words of an output's paragraphs, and its tables; what is folded is not counted."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words = self.tables = self._apart = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table" and not self._apart:
            self.tables += 1
        if tag in ("table", "svg", "style", "script", "details"):
            self._apart += 1

    def handle_endtag(self, tag: str) -> None:
        if tag in ("table", "svg", "style", "script", "details"):
            self._apart -= 1

    def handle_data(self, data: str) -> None:
        if not self._apart:
            self.words += len(data.split())
