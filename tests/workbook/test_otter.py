"""otter-grader itself grades what `quire handout` writes: full marks, or none at all.

It runs in an environment of its own (``quire peers install otter``).
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from quire.workbook import handouts, notebooks, peers
from quire.workbook.chapters import find_chapter
from quire.workbook.errors import UserError
from quire.workbook.handouts.questions import Question, questions
from quire.workbook.home import PACKAGE

ROOT = Path(__file__).parents[2]
Answer = Callable[[Question], str]


def right(asked: Question) -> str:
    return f"{asked.solution}\n{asked.variable} = {asked.answer}"


def blank(asked: Question) -> str:
    return f"{asked.variable} = None"


def wrong(asked: Question) -> str:
    return f"{asked.variable} = [[0, 0], [0, 0]]"


def blank_or_raising(asked: Question) -> str:
    return blank(asked) if asked.number % 2 else "1 / 0"


@pytest.fixture(scope="module")
def otter() -> str:
    """The peer's name; skipped where it is not installed."""
    if not peers.available("otter"):
        if not os.environ.get("CI"):
            pytest.skip("needs the peer otter: quire peers install otter")
        try:
            peers.install("otter")
        except UserError as fault:
            pytest.skip(str(fault))
    return "otter"


@pytest.mark.parametrize(
    ("number", "answers"),
    [
        ("03", {right: 1.0, blank_or_raising: 0.0}),
        ("15", {right: 1.0, blank: 0.0, wrong: 0.0}),
    ],
    ids=["03", "15"],
)
@pytest.mark.timeout(600)
def test_otter_grades_a_chapter(
    otter: str, number: str, answers: dict[Answer, float], tmp_path: Path
) -> None:
    chapter = find_chapter(number)
    asked = {each.number: each for each in questions(chapter.cells())}
    points = {2: 3.0}
    student, _, autograder = handouts.hand_out(chapter, tmp_path / "out", points)
    files: dict[str, float] = {}
    for answer, share in answers.items():
        made = notebooks.read(student)
        for cell in made.cells:
            if place := cell.metadata.get("quire", {}).get(handouts.copies.KEY):
                cell.source = answer(asked[place])
        file = tmp_path / f"{answer.__name__}.ipynb"
        file.write_text(notebooks.dumps(made), encoding="utf-8")
        files[str(file)] = share
    request = {
        "call": "grade", "notebooks": list(files), "autograder": str(autograder),
        "library": str(PACKAGE.parent), "home": str(ROOT),
    }  # fmt: skip
    graded = peers.call(otter, request)[0]["graded"]
    worth = {f"exercise_{n}": points.get(n, 1.0) for n in asked}
    for file, share in files.items():
        won = {name: tuple(each) for name, each in graded[file]["tests"].items()}
        assert won == {name: (share * most, most) for name, most in worth.items()}, file
