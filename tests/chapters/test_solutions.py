"""Exercises of every chapter: the solution on the page is right, and what is no answer is not.

The cells are read as `quire handout` reads them. A solution is a program of its own: it runs with
the topic and what it imports, and without the topic's ``exercises``, which no homework has.
"""

import csv
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from quire.workbook import notebooks
from quire.workbook.chapters import Chapter
from quire.workbook.cli import main
from quire.workbook.handouts import hand_out, sandbox
from quire.workbook.handouts.copies import KEY
from quire.workbook.handouts.questions import Question, questions

confined = pytest.mark.skipif(not sandbox.is_confining(), reason="needs Landlock (Linux)")
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


@confined
@pytest.mark.chapter
@pytest.mark.slow
def test_the_solutions_have_full_marks_where_homework_is_graded(chapter, tmp_path: Path):
    """``quire grade`` runs a returned notebook in a sandbox, where every cell finds what it needs.

    ``python benchmarks/grading.py`` grades blank and wrong notebooks of every chapter, too.
    """
    student, _, _ = hand_out(chapter, tmp_path / "out")
    asked = {each.number: each for each in questions(chapter.cells())}
    made = notebooks.read(student)
    for cell in made.cells:
        if number := cell.metadata.get("quire", {}).get(KEY):
            cell.source = (
                f"{asked[number].solution}\n{asked[number].variable} = {asked[number].answer}"
            )
    (tmp_path / "returned").mkdir()
    (tmp_path / "returned" / "one.ipynb").write_text(notebooks.dumps(made), encoding="utf-8")
    table = tmp_path / "grades.csv"
    with pytest.raises(SystemExit) as end:
        main(["grade", chapter.slug, str(tmp_path / "returned"), "-o", str(table)])
    assert not end.value.code
    with table.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["note"] == ""
    assert [row[f"feedback {number}"] for number in asked] == ["right"] * len(asked)
    assert row["total"] == str(len(asked))
