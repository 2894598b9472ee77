"""Exercises: a reader's answer, held against a check that does not show the right one."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from quire.workbook.text import clean

State = Literal["open", "right", "wrong", "faulty"]


@dataclass(frozen=True)
class Checked:
    """What became of an answer; shows itself in the notebook, and is true when it was right."""

    state: State
    text: str

    def __bool__(self) -> bool:
        return self.state == "right"

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f'<div class="quire-answer quire-answer-{self.state}">{html.escape(self.text)}</div>'


def check_answer(answer: Any, check: Callable[[Any], Any]) -> Checked:
    """Hold ``answer`` against ``check`` and say whether it is right; never raise.

    Parameters
    ----------
    answer
        The reader's; None means that there is none yet.
    check
        One function of a topic's ``exercises``: ``check(answer)`` computes the right answer and
        returns whether this is it.

    Returns
    -------
    Checked
        True only when the check returned True.
    """
    if answer is None:
        return Checked("open", "No answer yet: write yours in place of None and run the cell.")
    try:
        right = check(answer)
    except Exception as fault:
        return Checked(
            "faulty", clean(f"This answer could not be checked ({type(fault).__name__}: {fault}).")
        )
    # A mapping, an array or a number is no verdict: only a flag is.
    if type(right).__name__ in ("bool", "bool_") and bool(right):
        return Checked("right", "Right.")
    return Checked("wrong", "Not right. Try again, or unfold the solution.")
