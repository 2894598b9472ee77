"""Questions: the exercises of a chapter, as its notebook states them."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quire.workbook.errors import UserError

_ASKED = re.compile(r"^(?:`{3,}|:{3,})\{exercise\}(.*)$", flags=re.M)
_SOLVED = re.compile(r"^(?:`{3,}|:{3,})\{solution(?:-start)?\}", flags=re.M)
_CHECKED = re.compile(r"check_answer\(\s*(\w+),\s*exercises\.(\w+)\s*\)")
_CODE = re.compile(r"^([`~]{3,})(?:python|\{code-block\} python)\n(.*?)^\1\s*$", flags=re.M | re.S)


@dataclass(frozen=True)
class Question:
    """One exercise.

    Attributes
    ----------
    number
        From 1, in the order of the page.
    check
        The function of the topic's ``exercises`` that judges an answer.
    asked, answered, solved
        The places in the notebook of its text, of the cell that takes the answer, and of its
        solution.
    answer
        The name of the answer in the chapter's own cell.
    hint
        What kind of answer is asked for, as the chapter's comment says.
    solution
        Python that makes ``answer`` the right answer; empty when the solution is prose.
    """

    number: int
    check: str
    asked: int
    answered: int
    solved: int
    answer: str
    hint: str
    solution: str

    @property
    def variable(self) -> str:
        """The name under which a student hands in the answer."""
        return f"answer_{self.number}"


def number_asked(cells: Sequence[Any]) -> int:
    """Return how many exercises cells ask, also where one of them could not be handed out."""
    return sum(
        cell["cell_type"] == "markdown" and bool(_ASKED.search(str(cell["source"])))
        for cell in cells
    )


def questions(cells: Sequence[Mapping[str, Any]]) -> tuple[Question, ...]:
    """Return the exercises of a chapter's cells, in their order.

    Raises
    ------
    UserError
        When an exercise has no cell for its answer, or no solution.
    """
    found: list[Question] = []
    asked = answered = None
    hint = ("", "", "")
    for place, cell in enumerate(cells):
        text = str(cell["source"])
        if cell["cell_type"] == "markdown" and _ASKED.search(text):
            if asked is not None:
                raise UserError(f"exercise {len(found) + 1} has no solution", "write one after it")
            asked, answered = place, None
        elif asked is not None and cell["cell_type"] == "code" and (m := _CHECKED.search(text)):
            answered, hint = place, (m[1], m[2], _comment(text))
        elif asked is not None and cell["cell_type"] == "markdown" and _SOLVED.search(text):
            if answered is None:
                raise UserError(
                    f"exercise {len(found) + 1} has no cell for its answer",
                    "write workbook.check_answer(answer, exercises.NAME) after it",
                )
            found.append(
                Question(
                    len(found) + 1, hint[1], asked, answered, place, hint[0], hint[2],
                    _solution(text, hint[0]),
                )
            )  # fmt: skip
            asked = None
    if asked is not None:
        raise UserError(f"exercise {len(found) + 1} has no solution", "write one after it")
    return tuple(found)


def _comment(source: str) -> str:
    return source.splitlines()[0].partition("#")[2].strip()


def _solution(text: str, name: str) -> str:
    for block in _CODE.finditer(text):
        try:
            tree = ast.parse(block[2])
        except SyntaxError:
            continue
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assigned = {
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        if name in functions | assigned:
            return block[2].rstrip()
    return ""
