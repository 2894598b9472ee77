"""Exercises of every chapter: the solution on the page is right, and what is no answer is not.

The cells are read as `quire handout` reads them. A solution is a program of its own: it runs with
the topic and what it imports, and without the topic's ``exercises``, which no homework has.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from quire.workbook.chapters import Chapter
from quire.workbook.handouts.questions import Question, questions

WRONG = (0, "an answer", [[0, 0], [0, 0]], lambda *_: 0)


def judged(chapter: Chapter) -> list[tuple[Question, Callable[[Any], Any]]]:
    """Return the chapter's exercises, each with the function that judges its answer."""
    checks = import_module(f"quire.{chapter.card.topic}.exercises")
    return [(asked, getattr(checks, asked.check)) for asked in questions(chapter.cells())]


def test_the_solution_on_the_page_is_right(chapter):
    topic = chapter.card.topic
    for asked, check in judged(chapter):
        assert asked.solution, f"exercise {asked.number}: its solution is prose alone"
        names: dict[str, Any] = {topic: import_module(f"quire.{topic}")}
        exec(asked.solution, names)
        assert check(names[asked.answer]) is True, f"exercise {asked.number}"


def test_no_answer_and_wrong_answers_are_not_right(chapter):
    asked = judged(chapter)
    assert asked
    for question, check in asked:
        assert check(None) is False, f"exercise {question.number}: no answer"
        for wrong in WRONG:
            assert check(wrong) is False, f"exercise {question.number}: {wrong!r}"


def test_no_question_hands_out_what_a_homework_lacks(chapter):
    """A student's copy does not import ``exercises``: what a question gives stands elsewhere."""
    cells = chapter.cells()
    for question in questions(cells):
        given = cells[question.asked]["source"] + question.solution
        assert "exercises." not in given, f"exercise {question.number}"
