"""Cache affinity as a bonus on a model's score: the semantic router's formula.

(``cache_affinity`` of vLLM's semantic router at commit 3d48f8c9, as the dossier of chapter 08
restates it.) A bonus counts only where the best and the second score are closer than 0.20, and is
0.14 at most.
"""

import math
from dataclasses import dataclass
from typing import Any

from quire.checks import non_negative, share

MOST, CLOSE = 0.14, 0.20


@dataclass(frozen=True)
class Session:
    """What a router knows of a conversation.

    Attributes
    ----------
    reuse
        Share of the prompt that the previous model's cache may hold, 0 to 1.
    history
        Tokens of history.
    turn
        Turns so far.
    same
        Whether the candidate is the previous model.
    has_previous
        Whether there was one.
    used
        Prompt over the candidate's window; None where it is not known.
    """

    reuse: float | int
    history: float | int
    turn: float | int
    same: bool
    has_previous: bool = True
    used: float | int | None = None

    def __post_init__(self) -> None:
        share("reuse", self.reuse)
        for name in ("history", "turn"):
            non_negative(name, getattr(self, name))
        if self.used is not None:
            non_negative("used", self.used)

    @property
    def fit(self) -> float:
        """How well the prompt fits the window: 1 up to half of it, 0.7, 0.3, and 0 beyond it."""
        if self.used is None:
            return 0.5
        for limit, value in ((0.5, 1.0), (0.75, 0.7), (1.0, 0.3)):
            if self.used <= limit:
                return value
        return 0.0


def affinity_bonus(session: Session, gap: Any) -> float:
    """Return what is added to a candidate's score, between -0.14 and 0.14.

    Parameters
    ----------
    session
        Of the request and the candidate.
    gap
        Best score minus the second, zero or more.
    """
    near = non_negative("gap", gap)
    length, turns = min(session.history / 4096, 1.0), min(session.turn / 4, 1.0)
    warm = 0.45 * session.reuse + 0.30 * length + 0.25 * turns
    share = MOST * warm * min(max(1 - near / CLOSE, 0.0), 1.0)
    same = float(session.same)
    pull = math.tanh(
        0.50 * same
        + 0.35 * same * session.reuse
        + 0.15 * same * turns
        - 0.35 * (1 - same) * warm
        + 0.15 * (session.fit - 0.5)
    )
    previous = float(session.has_previous)
    sure = 0.15 + 0.35 * session.reuse + 0.20 * length + 0.15 * turns
    sure = min(max(sure + 0.15 * session.fit + 0.15 * previous, 0.0), 1.0)
    if not session.has_previous:
        sure *= 0.6
    return share * sure * pull
