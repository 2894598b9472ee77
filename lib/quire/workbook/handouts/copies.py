"""Copies: a chapter for students, for instructors, and for otter-grader.

A student's copy has neither solutions nor checks, and does not import the topic's ``exercises``,
whose functions compute the right answers. Each answer has a name of its own, ``answer_1`` and so
on.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from quire.workbook.bundles.archive import pack
from quire.workbook.chapters import Chapter
from quire.workbook.errors import UserError
from quire.workbook.files import make_folder, write_atomically
from quire.workbook.handouts.questions import Question, questions
from quire.workbook.notebooks import dumps, is_injected, tags

KEY = "exercise"
"""Under this key a cell of a student's copy says in its metadata which answer it takes."""

IGNORED = "otter_ignore"
"""otter-grader runs no cell with this tag."""

_IMPORT = re.compile(r"^(\s*from\s+[\w.]+\s+import\s+)(.+)$")
_IN_BRACKETS = re.compile(r"^([ \t]*from[ \t]+\S+[ \t]+import[ \t]*\()([^()]*)(\))", flags=re.M)
_THE_CHECKS = re.compile(r"\bexercises\b\s*,\s*|,?\s*\bexercises\b")
_ABOUT = (
    "Write each answer in place of `None`. Keep the names `answer_1`, `answer_2` and so on. "
    "Your notebook is graded by what these names hold when its cells have run in their order."
)
_TEST = '''\
"""Exercise {number}, judged by the chapter's own check; what is right stands nowhere in here."""

from otter.test_files import test_case

OK_FORMAT = False
name = "exercise_{number}"
points = {points}


@test_case(points={points}, hidden=True)
def test_answer(env):
    from {module} import exercises

    answer = env.get("{variable}")
    assert answer is not None, "no answer"
    assert exercises.{check}(answer) is True, "not right"
'''


def hand_out(
    chapter: Chapter, folder: Path, points: Mapping[int, float] | None = None
) -> tuple[Path, ...]:
    """Write a chapter's student copy, instructor's copy and otter-grader autograder.

    Parameters
    ----------
    chapter
        The chapter.
    folder
        Where to write; made if it is not there.
    points
        Points of the exercises by number, 1 each by default.

    Returns
    -------
    tuple of Path
        ``SLUG-student.ipynb``, ``SLUG-instructor.ipynb`` and ``SLUG-autograder.zip``.

    Raises
    ------
    UserError
        When the chapter has no exercises, ``points`` names one that there is not, or the folder
        can not be written.
    """
    notebook = chapter.read()
    asked = questions(notebook.cells)
    if not asked:
        raise UserError(f"{chapter.slug} has no exercises", "hand out a chapter that has some")
    values = _points(chapter, asked, points or {})
    make_folder(folder)
    products: dict[str, str | bytes] = {
        f"{chapter.slug}-student.ipynb": dumps(student(notebook, chapter.slug)),
        f"{chapter.slug}-instructor.ipynb": dumps(instructor(notebook)),
        f"{chapter.slug}-autograder.zip": pack(autograder(chapter, asked, values)),
    }
    for name, content in products.items():
        write_atomically(folder / name, content)
    return tuple(folder / name for name in products)


def student(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return a copy without solutions, checks and answers, as the assignment ``name``.

    otter-grader takes a notebook only as the assignment it names, and runs of it what decides the
    grade: other cells carry the tag ``otter_ignore``.
    """
    made, asked = _own(notebook), questions(_own(notebook).cells)
    for question in asked:
        cell = made.cells[question.answered]
        hint = f"  # {question.hint}" if question.hint else ""
        cell.source = f"{question.variable} = None{hint}"
        cell.outputs, cell.execution_count = [], None
        cell.metadata["quire"] = {KEY: question.number}
    for cell in made.cells:
        if cell.cell_type == "code":
            cell.source = _without_checks(cell.source)
    text = made.cells[asked[0].asked]
    text.source = f"{_ABOUT}\n\n{text.source}"
    dropped = {question.solved for question in asked}
    made.cells = [cell for place, cell in enumerate(made.cells) if place not in dropped]
    deciding = set(_graded(made.cells))
    for place, cell in enumerate(made.cells):
        if cell.cell_type == "code" and place not in deciding:
            cell.metadata["tags"] = [*tags(cell), IGNORED]
    made.metadata["otter"] = {"assignment_name": name}
    return made


def instructor(notebook: NotebookNode) -> NotebookNode:
    """Return a copy with every solution unfolded, and in its cell where it is given as Python."""
    made = _own(notebook)
    for question in questions(made.cells):
        cell = made.cells[question.answered]
        if question.solution:
            call = f"workbook.check_answer({question.answer}, exercises.{question.check})"
            cell.source = f"{question.solution}\n{call}"
        cell.outputs, cell.execution_count = [], None
        solution = made.cells[question.solved]
        lines = solution.source.splitlines()
        solution.source = "\n".join(line for line in lines if not line.startswith(":class:"))
    return made


def autograder(
    chapter: Chapter, asked: tuple[Question, ...], points: Mapping[int, float]
) -> dict[str, bytes]:
    """Return the members of otter-grader's autograder: one hidden test an exercise."""
    tests = {
        f"tests/exercise_{each.number}.py": _TEST.format(
            number=each.number,
            points=points[each.number],
            module=f"quire.{chapter.card.topic}",
            variable=each.variable,
            check=each.check,
        ).encode()
        for each in asked
    }
    config = {"lang": "python", "show_hidden": False, "assignment_name": chapter.slug}
    return {
        "otter_config.json": (json.dumps(config, indent=1) + "\n").encode(),
        "requirements.txt": b"quire-workbook[workbook,peers]\n",
        **tests,
    }


def _points(
    chapter: Chapter, asked: tuple[Question, ...], points: Mapping[int, float]
) -> dict[int, float]:
    numbers = [question.number for question in asked]
    for number, value in points.items():
        if number not in numbers:
            raise UserError(
                f"{chapter.slug} has no exercise {number}", f"it has 1 to {numbers[-1]}"
            )
        if not 0 < value < float("inf"):
            raise UserError(f"points = {value}", "give a positive, finite number")
    return {number: float(points.get(number, 1)) for number in numbers}


def _own(notebook: NotebookNode) -> NotebookNode:
    made = copy.deepcopy(notebook)
    made.cells = [cell for cell in made.cells if not is_injected(cell)]
    made.metadata.pop("quire", None)
    return made


def _without_checks(source: str) -> str:
    source = _IN_BRACKETS.sub(
        lambda found: found[1] + _THE_CHECKS.sub("", found[2]) + found[3], source
    )
    lines = []
    for line in source.splitlines():
        found = _IMPORT.match(line)
        if found and "exercises" in re.split(r"[\s,]+", found[2]):
            names = [n for n in re.split(r"\s*,\s*", found[2].strip()) if n != "exercises"]
            if not names:
                continue
            line = found[1] + ", ".join(names)
        if "check_answer(" not in line:
            lines.append(line)
    return "\n".join(lines)


def graded_cells(notebook: Mapping[str, Any]) -> list[str]:
    """Return the code of a returned notebook that decides its grade.

    These are the parameters and the set-up, up to the cell that begins the chapter, and the cells
    under *Exercises*; of a notebook without these, all of them.
    """
    return [str(notebook["cells"][place]["source"]) for place in _graded(notebook["cells"])]


def _graded(cells: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the places of the code cells that decide a grade."""
    sections: list[tuple[int, str]] = []
    heading, begun = "", False
    for number, cell in enumerate(cells):
        if cell["cell_type"] == "markdown":
            found = re.findall(r"^## +(.+?)\s*$", cell["source"], flags=re.M)
            heading = found[-1] if found else heading
        elif cell["cell_type"] == "code":
            folded = {"hide-input", "parameters"} & set(tags(cell))
            sets_up = folded and not heading and not begun
            sections.append((number, "set-up" if sets_up else heading or "opening"))
            begun = begun or "workbook.begin(" in cell["source"]
    if any(place == "Exercises" for _, place in sections):
        return [number for number, place in sections if place in ("set-up", "Exercises")]
    return [number for number, _ in sections]
