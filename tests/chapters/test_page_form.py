"""Every page has the form that its reader knows from the others."""

from collections.abc import Callable, Iterator

import pytest
from nbformat import NotebookNode

from quire.workbook.chapters import Chapter, all_chapters

from . import page_rules as rules

# Chapters still in the old form; a number leaves as soon as its page conforms, and none joins.
NOT_YET: set[str] = set()
CHAPTERS = [chapter for chapter in all_chapters() if chapter.number not in NOT_YET]

RULES: dict[str, Callable[[Chapter, NotebookNode], Iterator[str]]] = {
    "headings": lambda chapter, page: rules.headings(page, chapter.number),
    "opening": lambda chapter, page: rules.opening(page),
    "visible code": lambda chapter, page: rules.visible_code(page),
    "folded code": lambda chapter, page: rules.folded_code(page),
    "volatile clocks": lambda chapter, page: rules.volatile_clocks(page, chapter.card),
    "readable output": lambda chapter, page: rules.readable_output(page),
    "exercises": lambda chapter, page: rules.exercises(page),
    "ledgers": lambda chapter, page: rules.ledgers(page, chapter.card),
    "whole sentences": lambda chapter, page: rules.claims_are_sentences(chapter.card),
    "nothing typed": lambda chapter, page: rules.nothing_typed(page),
    "legends below": lambda chapter, page: rules.legends_below(page),
}


@pytest.mark.parametrize("page", CHAPTERS, ids=[page.slug for page in CHAPTERS])
@pytest.mark.parametrize("rule", RULES)
def test_a_page_keeps_to_its_form(page: Chapter, rule: str) -> None:
    assert list(RULES[rule](page, page.read())) == []


def test_whoever_is_not_yet_in_the_new_form_is_a_chapter() -> None:
    assert {chapter.number for chapter in all_chapters()} >= NOT_YET
