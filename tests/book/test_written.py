"""The lists behind the written pages fit the chapters that there are."""

from __future__ import annotations

from pathlib import Path

import pytest
from nbformat import NotebookNode

from quire.workbook.book.pages import inserts, lessons, paths, teaching
from quire.workbook.chapters import Chapter, all_chapters
from quire.workbook.ledger import read_ledger

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def executed() -> dict[Chapter, NotebookNode]:
    return {chapter: chapter.read() for chapter in all_chapters(ROOT)}


def test_every_sorted_line_is_one_of_a_card_and_is_sorted_once() -> None:
    kinds = lessons.read_kinds(ROOT)
    claims = {c.id: c.role for chapter in all_chapters(ROOT) for c in chapter.card.claims}
    for role, listed in (("claim", kinds.claims), ("finding", kinds.findings)):
        ids = [identifier for kind in listed for identifier in kind.ids]
        assert len(ids) == len(set(ids))
        assert {identifier: claims.get(identifier) for identifier in ids} == dict.fromkeys(
            ids, role
        )
        assert len({kind.title for kind in listed}) == len(listed)


def test_every_line_that_did_not_hold_is_sorted(executed: dict[Chapter, NotebookNode]) -> None:
    kinds = lessons.read_kinds(ROOT)
    for role, listed in (("claim", kinds.claims), ("finding", kinds.findings)):
        known = {identifier for kind in listed for identifier in kind.ids}
        read = {identifier[:2] for identifier in known}  # a chapter that is new is sorted later
        entries = [e for c, n in executed.items() for e in read_ledger(c, n) if e.role == role]
        failed = [e.id for e in lessons.failed(entries, role) if e.number in read]
        unsorted = set(failed) - known
        assert unsorted == set(), "add them to book/lessons.yml"


def test_the_other_sign_is_beyond_the_line_with_its_whole_interval(
    executed: dict[Chapter, NotebookNode],
) -> None:
    """What the page says of its first kind of claim."""
    entries = {e.id: e for c, n in executed.items() for e in read_ledger(c, n)}
    for identifier in lessons.read_kinds(ROOT).claims[0].ids:
        entry = entries[identifier]
        if entry.outcome == "missed":
            low, high = entry.interval
            bound = entry.expect
            assert high < bound.get("at_least", high + 1) or low > bound.get("at_most", low - 1)


def test_every_chapter_is_in_the_term_and_its_session_takes_ninety_minutes(
    executed: dict[Chapter, NotebookNode],
) -> None:
    term = teaching.read_term(ROOT)
    numbers = {chapter.number for chapter in executed if chapter.number <= "15"}
    weeks = [number for week in term.weeks for number in week.chapters]
    assert numbers <= set(weeks) and len(weeks) == len(set(weeks))
    assert numbers <= set(term.plans)
    assert [week.week for week in term.weeks] == list(range(1, len(term.weeks) + 1))
    for chapter, notebook in executed.items():
        if chapter.number not in term.plans:  # a reader's own
            continue
        steps = teaching.agenda(term.plans[chapter.number], notebook, chapter.number)
        assert sum(time for _, _, time in steps) == teaching.SESSION


def test_the_hour_is_an_hour(executed: dict[Chapter, NotebookNode]) -> None:
    by_number = {chapter.number: notebook for chapter, notebook in executed.items()}
    steps = [s for s in paths.read_paths(ROOT).hour if s.page or s.chapter in by_number]
    times = [paths.reading(by_number[s.chapter], s) for s in steps if s.chapter]
    assert 40 <= sum(times) + paths.PAGE_MINUTES * sum(bool(s.page) for s in steps) <= 60


def test_every_place_of_a_page_is_filled(executed: dict[Chapter, NotebookNode]) -> None:
    made = inserts.makers(ROOT, executed, {})
    for page in (ROOT / "book").glob("*.md"):
        for place in inserts.PLACE.finditer(page.read_text(encoding="utf-8")):
            assert place[1] in made, page.name
