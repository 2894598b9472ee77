"""Answers of readers: what the checks of all topics' exercises ask of one, without ever raising."""

import math
from collections.abc import Callable
from numbers import Real
from typing import Any


def is_near(answer: Any, right: float, *, rel: float = 0.0, abs_: float = 0.0) -> bool:
    """Return whether an answer is one real number near ``right``; a boolean is none.

    Parameters
    ----------
    answer
        Anything; an array of one number counts as that number.
    right
        The right answer.
    rel, abs_
        How far the answer may lie from it: ``abs_ + rel * |right|``.
    """
    try:
        if hasattr(answer, "item") and getattr(answer, "size", 1) == 1:
            answer = answer.item()
        if isinstance(answer, bool) or not isinstance(answer, Real):
            return False
        value = float(answer)
    except Exception:  # a reader's object may do anything
        return False
    return math.isfinite(value) and abs(value - right) <= abs_ + rel * abs(right)


def called(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a reader's function gives, None when it raises."""
    try:
        return function(*arguments)
    except Exception:  # a reader's function may do anything
        return None
