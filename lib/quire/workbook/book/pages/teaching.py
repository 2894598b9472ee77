"""Teaching: a term of chapters, and ninety minutes with each, with minutes counted from notebooks.

What to show first, where students go astray and what to leave out is written in
``book/teach.yml``; times come from `minutes`, the exercises from the notebooks.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from nbformat import NotebookNode

from quire.workbook.book.pages import minutes
from quire.workbook.book.pages.markup import bare, grid, linked, number_word, page_of, raw
from quire.workbook.book.pages.written import Written, read_list
from quire.workbook.chapters import Chapter
from quire.workbook.errors import UserError
from quire.workbook.handouts.questions import number_asked
from quire.workbook.text import markup

FILE = "teach.yml"

SESSION = 90
"""Minutes of a session."""

PACE = 3
"""A section takes this many times its reading time to be shown and discussed."""

RUN = 10
"""Minutes for a run of the smoke profile and another with one parameter changed."""

EXERCISE = 12
"""Minutes that an exercise is given at least."""

GRADED = Path("data/golden/grading/matrix.csv")
"""What `quire grade` gave to right and wrong homework of each chapter: benchmarks/grading.py."""

_GRADED = (
    "What `quire grade` gave to five notebooks of each chapter, a point an exercise: to the page's "
    "solutions, a blank copy, zeros, a function that gives nought, and the solution of the next "
    "exercise:"
)

Executed = Mapping[Chapter, NotebookNode]


class Week(Written):
    """A week of a term: its chapters, what it is about, and what it needs."""

    week: int
    chapters: tuple[str, ...]
    about: str
    needs: str


class Plan(Written):
    """What a lecturer wants to know of a chapter.

    Attributes
    ----------
    first
        What to show first.
    astray
        Where students go wrong.
    sections
        The questions of the chapter that fit into the session.
    exercises
        The numbers of the exercises for the rest of it.
    """

    first: str
    astray: str
    sections: tuple[str, ...] = ()
    exercises: tuple[int, ...]


class Term(Written):
    """A term: its weeks in their order, and a plan per chapter."""

    weeks: tuple[Week, ...]
    plans: dict[str, Plan]


def read_term(root: Path) -> Term:
    """Read ``book/teach.yml`` of the workbook at ``root``; `UserError`."""
    return read_list(root / "book" / FILE, Term)


def inserts(root: Path, executed: Executed) -> dict[str, Callable[[], str]]:
    """Return what stands in the page's places, by the name of each place."""
    return {
        "teach, weeks": lambda: str(len(read_term(root).weeks)),
        "teach, syllabus": partial(_syllabus, root, executed),
        "teach, plans": partial(_plans, root, executed),
        "teach, grades": partial(_grades, root, executed),
    }


def read_graded(root: Path) -> list[dict[str, str]]:
    """Return the kept rows of graded homework, none where none was kept."""
    path = root / GRADED
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def agenda(plan: Plan, notebook: NotebookNode, name: str = "") -> list[tuple[str, str, float]]:
    """Return a session as (what, which, minutes) in its order; the minutes sum to `SESSION`.

    Raises
    ------
    UserError
        When the plan names a section or an exercise that the chapter does not have, or leaves too
        little time for the exercises.
    """
    headings = {section.heading for section in minutes.sections(notebook)}
    numbers = set(range(1, number_asked(notebook.cells) + 1))
    if missing := [*({*plan.sections} - headings), *({*plan.exercises} - numbers)]:
        raise UserError(f"{FILE}: chapter {name} has no {missing[0]!r}", "mend the plan")
    shown = [
        ("Show", minutes.OPENING, minutes.OPENING),
        ("Show", "The idea, redone on paper", "The idea"),
        ("Show", "The model", "The model"),
        *(("Ask", section, section) for section in plan.sections),
        ("Close", "What we learned", "What we learned"),
    ]
    steps = [
        (what, label, float(max(1, round(PACE * minutes.minutes(notebook, section)))))
        for what, label, section in shown
    ]
    steps.insert(-1, ("Run", "The smoke profile, then one parameter changed", float(RUN)))
    rest = SESSION - sum(time for _, _, time in steps)
    if rest < EXERCISE * len(plan.exercises):
        raise UserError(
            f"{FILE}: chapter {name} leaves {rest:.0f} minutes for {len(plan.exercises)} exercises",
            "name fewer sections or exercises",
        )
    chosen = " and ".join(map(str, plan.exercises))
    steps.insert(-1, ("Work", f"Exercise{'s' * (len(plan.exercises) > 1)} {chosen}", rest))
    return steps


def _syllabus(root: Path, executed: Executed) -> str:
    by_number = {chapter.number: chapter for chapter in executed}
    rows = []
    for week in read_term(root).weeks:
        there = [by_number[number] for number in week.chapters if number in by_number]
        if there:
            read = sum(minutes.minutes(executed[chapter]) for chapter in there)
            run = sum(_seconds(executed[chapter]) for chapter in there)
            asked = sum(number_asked(executed[chapter].cells) for chapter in there)
            rows.append(
                (
                    str(week.week), "<br>".join(map(linked, there)), markup(week.about),
                    markup(week.needs), f"{read:.0f}", f"{run:.0f}", str(asked),
                )
            )  # fmt: skip
    heads = ("week", "chapter", "about", "needs", "reading (min)", "running (s)", "exercises")
    return raw(grid(heads, rows, words=4))


def _plans(root: Path, executed: Executed) -> str:
    term = read_term(root)
    blocks = []
    for chapter, notebook in executed.items():
        if chapter.number not in term.plans:
            continue
        plan = _as_far_as_there(term.plans[chapter.number], notebook)
        steps = agenda(plan, notebook, chapter.number)
        rows = [(what, markup(label), f"{time:.0f}") for what, label, time in steps]
        blocks.append(
            "\n\n".join(
                (
                    f"### {chapter.number} · {bare(chapter.title)}",
                    f"**Show first.** {plan.first}",
                    f"**Where students go wrong.** {plan.astray}",
                    raw(
                        f'<p><a href="{page_of(chapter)}">The chapter</a> takes '
                        f"{minutes.minutes(notebook):.0f} minutes to read and "
                        f"{_seconds(notebook):.0f} seconds to run, and has "
                        f"{number_word(number_asked(notebook.cells))} exercises.</p>"
                        f"{grid(('step', 'what', 'minutes'), rows, words=2)}"
                    ),
                )
            )
        )
    return "\n\n".join(blocks)


def _grades(root: Path, executed: Executed) -> str:
    by_number = {chapter.number: chapter for chapter in executed}
    there = [row for row in read_graded(root) if row["chapter"] in by_number]
    if not there:
        return ""
    rows = [(linked(by_number[row["chapter"]]), *list(row.values())[1:]) for row in there]
    return f"{_GRADED}\n\n{raw(grid(tuple(there[0]), rows, words=1))}"


def _as_far_as_there(plan: Plan, notebook: NotebookNode) -> Plan:
    """Return a plan without the sections that the chapter no longer has; the tests tell of them."""
    headings = {section.heading for section in minutes.sections(notebook)}
    kept = tuple(section for section in plan.sections if section in headings)
    return plan.model_copy(update={"sections": kept})


def _seconds(notebook: NotebookNode) -> float:
    return float(notebook.metadata.get("quire", {}).get("seconds") or 0)
