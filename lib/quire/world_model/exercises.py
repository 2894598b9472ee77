"""Checks of the chapter's exercises: each computes the right answer, and never raises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from quire.answers import is_near


def power_of_symmetric_wires(answer: Any) -> bool:
    """Return whether the power is right that the symmetric coupling makes at outputs 3 and 2."""
    y, k = np.array([3.0, 2.0]), np.array([[0.0, 1.0], [1.0, 0.0]])
    return is_near(answer, float(y @ k @ y), rel=1e-9)


def rows_before_overflow(answer: Any) -> bool:
    """Return whether so many rows fit 64-bit sums at shift 24, with entries below 8."""
    most = 0
    while (2 * most or 1) * (8 * 2**24) ** 2 <= 2**63:
        most = 2 * most or 1
    return is_near(answer, most)


def largest_wrong_sign(answer: Any) -> bool:
    """Return whether it is the largest whole percentage at which rounded numbers say 'smaller'."""
    share, other = 0.41, 0.32
    right = max(p for p in range(42) if p / 100 / share < other / (1 - share))
    return is_near(answer, right)


def schedule_without_evidence(answer: Any) -> bool:
    """Return whether a schedule of the kernel that answers first leaves an action without an entry.

    The broken kernel does ``answer`` and then ``log``, unless it has crashed; the agent's ``act``
    needs the answer.
    """
    try:
        if isinstance(answer, str) or not isinstance(answer, Sequence) or len(answer) > 10:
            return False
        events = list(answer)
        if not all(isinstance(e, str) for e in events) or len(set(events)) != len(events):
            return False
    except Exception:  # a reader's object may do anything
        return False
    done: list[str] = []
    for now in events:
        if now not in ("answer", "log", "act", "crash"):
            return False
        if now in ("answer", "log") and "crash" in done:
            return False
        if now in ("act", "log") and "answer" not in done:
            return False
        done.append(now)
    return "act" in done and "crash" in done and "log" not in done
