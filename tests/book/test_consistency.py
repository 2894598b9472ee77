"""Cards, bibliography and contents agree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pybtex.database import parse_file

from quire.workbook import charts
from quire.workbook.book.contents import read_contents, with_chapters
from quire.workbook.chapters import Chapter, all_chapters

ROOT = Path(__file__).parents[2]
CHAPTERS = all_chapters(ROOT)
ENTRIES = parse_file(ROOT / "book" / "references.bib").entries


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.slug)
def test_a_chapters_paper_is_in_the_bibliography_and_is_cited(chapter: Chapter) -> None:
    paper = chapter.card.paper
    assert paper.cite in ENTRIES
    assert ENTRIES[paper.cite].fields["eprint"] == paper.arxiv
    prose = "\n".join(c.source for c in chapter.read().cells if c.cell_type == "markdown")
    assert f"`{paper.cite}`" in prose


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.slug)
def test_a_chapters_charts_say_what_they_show(chapter: Chapter) -> None:
    outputs = [o for c in chapter.read().cells if c.cell_type == "code" for o in c.outputs]
    specs = [
        o["data"][charts.VEGALITE_MIME]
        for o in outputs
        if charts.VEGALITE_MIME in o.get("data", {})
    ]
    assert {charts.title(s): charts.problems(s) for s in specs if charts.problems(s)} == {}


def test_the_contents_list_exactly_the_chapters_there_are() -> None:
    contents = read_contents(ROOT)
    assert with_chapters(contents, CHAPTERS) == contents


def test_no_paper_is_in_the_bibliography_twice() -> None:
    prints = [entry.fields["eprint"] for entry in ENTRIES.values() if "eprint" in entry.fields]
    assert len(prints) == len(set(prints))


def test_every_prose_page_is_in_the_contents() -> None:
    contents = read_contents(ROOT)
    listed = {entry["file"] for part in contents["parts"] for entry in part["chapters"]}
    pages = [*(ROOT / "book").glob("*.md"), *(ROOT / "book").glob("*.ipynb")]
    written = {f"book/{path.stem}" for path in pages}
    assert written <= listed | {contents["root"]}


def test_no_two_chapters_name_a_place_alike() -> None:
    """Sphinx knows a label once in the whole book; which of two a link meant, nobody can tell."""
    named: dict[str, list[str]] = {}
    for chapter in CHAPTERS:
        for cell in chapter.read().cells:
            if cell.cell_type == "markdown":
                for target, label in re.findall(
                    r"^\(([^)\n]+)\)=\s*$|^:label: (\S+)", cell.source, re.MULTILINE
                ):
                    named.setdefault(target or label, []).append(chapter.slug)
    assert {label: slugs for label, slugs in named.items() if len(slugs) > 1} == {}


SHARED = ("01 07", "02 03", "02 09", "06 08", "06 11", "08 12", "11 12", "13 15")
"""Chapters whose mathematics is the same, or the same from two sides."""


@pytest.mark.parametrize("pair", SHARED)
def test_chapters_that_share_mathematics_lead_to_each_other(pair: str) -> None:
    by_number = {chapter.number: chapter for chapter in CHAPTERS}
    one, other = (by_number.get(number) for number in pair.split())
    if one is None or other is None:
        pytest.skip(f"chapters {pair} are not both here")
    for source, target in ((one, other), (other, one)):
        prose = "\n".join(c.source for c in source.read().cells if c.cell_type == "markdown")
        assert f"]({target.slug}.ipynb" in prose, f"{source.slug} does not lead to {target.slug}"
