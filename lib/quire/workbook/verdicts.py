"""Verdicts: a claim and what was measured, judged by rule and by nothing else.

A measurement is a value, and for whatever depends on random draws or on a clock also an interval
(`quire.workbook.intervals`). The outcome says how the two stand to what the card accepts; the
verdict is the outcome in the words of the claim's role.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, get_args

from quire.workbook import intervals
from quire.workbook.cards import Bound, Claim, Role, Tolerance
from quire.workbook.numerals import printed

Outcome = Literal["held", "differs", "missed", "undecided", "not run"]
Verdict = Literal[
    "reproduced",
    "holds",
    "differs",
    "not reproduced",
    "our expectation failed",
    "fails",
    "undecided",
    "not run here",
]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
"""Every outcome, in the order in which tables and charts list them."""

_WORDS: Mapping[Outcome, tuple[Verdict, Verdict, Verdict]] = {
    # the paper's claim, our finding, our check or target
    "held": ("reproduced", "holds", "holds"),
    "differs": ("differs", "differs", "fails"),
    "missed": ("not reproduced", "our expectation failed", "fails"),
    "undecided": ("undecided", "undecided", "undecided"),
    "not run": ("not run here", "not run here", "not run here"),
}


@dataclass(frozen=True)
class Judgement:
    """An outcome, the word for it in the claim's role, and why (empty when it was held)."""

    outcome: Outcome
    verdict: Verdict
    reason: str = ""


def word(role: Role, outcome: Outcome) -> Verdict:
    """Return the verdict that an outcome is called in a role."""
    paper, finding, ours = _WORDS[outcome]
    return {"claim": paper, "finding": finding}.get(role, ours)


VERDICTS: tuple[Verdict, ...] = tuple(word("claim", outcome) for outcome in OUTCOMES)
"""The verdicts of a paper's claims, in the order in which tables and charts list them."""


def judge(claim: Claim, measured: Any, interval: Any = None) -> Judgement:
    """Hold ``measured``, or the ``interval`` in which it lies, against ``claim``.

    Without an interval: *held* inside the claim's tolerance; *differs* outside it but inside the
    wider tolerance that the card wrote down with a reason; otherwise *missed*. With an interval:
    *held* when all of it is accepted, *undecided* when a part of it is, *differs* when none of it
    is but all of it lies inside the wider tolerance, otherwise *missed*. A measurement that does
    not fit the claim's kind is missed.

    Parameters
    ----------
    claim
        The card's claim.
    measured
        A number, flag, word, list or mapping, as the claim's kind asks for.
    interval
        ``(low, high)``; one per name for an *order*, one per point for a *shape*; or None.
    """
    if interval is not None:
        return _judge_interval(claim, measured, interval)
    fault = _miss(claim, measured, claim.tolerance)
    if fault is None:
        return _judgement(claim, "held")
    if claim.differs is not None and _miss(claim, measured, claim.differs.tolerance) is None:
        return _judgement(claim, "differs", claim.differs.because)
    return _judgement(claim, "missed", fault)


def judge_stored(claim: Claim, stored: Mapping[str, Any]) -> Judgement:
    """Judge anew what an executed notebook stored of a claim, by the card of today."""
    if stored["verdict"] == "not run here":
        return _judgement(claim, "not run", stored["reason"])
    return judge(claim, stored["measured"], stored.get("interval"))


def unfit(claim: Claim, measured: Any) -> str | None:
    """Return what a measurement of this claim's kind has to be, or None when it is that."""
    match claim.kind:
        case "value" | "bound" if _number(measured) is None:
            return "a number"
        case "shape" if not _is_curve(measured):
            return "a list of two numbers or more"
        case "order" if not isinstance(measured, Mapping) and not (
            isinstance(measured, list) and all(isinstance(name, str) for name in measured)
        ):
            return "a list of names, best first, or a mapping from name to number"
    return None


def _judgement(claim: Claim, outcome: Outcome, reason: str = "") -> Judgement:
    return Judgement(outcome, word(claim.role, outcome), reason)


def _judge_interval(claim: Claim, measured: Any, interval: Any) -> Judgement:
    fault = intervals.unfit(claim, measured, interval)
    if fault is not None:
        return _judgement(claim, "missed", fault)
    lies, reason = intervals.place(claim, measured, interval, claim.tolerance)
    if lies == "inside":
        return _judgement(claim, "held")
    if lies == "astride":
        return _judgement(claim, "undecided", reason)
    if claim.differs is not None:
        wider, _ = intervals.place(claim, measured, interval, claim.differs.tolerance)
        if wider == "inside":
            return _judgement(claim, "differs", claim.differs.because)
    return _judgement(claim, "missed", reason)


def _miss(claim: Claim, measured: Any, tolerance: Tolerance) -> str | None:
    """Return in words how ``measured`` misses ``claim``, or None when it does not."""
    match claim.kind:
        case "exact":
            return _exact(claim.expect, measured)
        case "value":
            return _value(float(claim.expect), measured, tolerance)
        case "bound":
            return _bound(Bound.model_validate(claim.expect), measured, tolerance)
        case "order":
            return _order(claim.expect, measured, tolerance)
        case "shape":
            return _shape(claim.expect, measured, tolerance)


def _exact(expected: Any, measured: Any) -> str | None:
    # True == 1 in Python, but a claim that expects a count is not met by a flag.
    alike = isinstance(expected, bool) == isinstance(measured, bool)
    return None if alike and measured == expected else f"measured {measured}, expected {expected}"


def _number(measured: Any) -> float | None:
    if isinstance(measured, bool) or not isinstance(measured, int | float):
        return None
    try:
        number = float(measured)
    except OverflowError:  # an integer beyond the doubles
        return None
    return number if math.isfinite(number) else None


def _value(expected: float, measured: Any, tolerance: Tolerance) -> str | None:
    number = _number(measured)
    if number is None:
        return f"measured {measured}, which is not a number"
    if abs(number - expected) <= tolerance.margin(expected):
        return None
    return f"off by {number - expected:+.3g} where {tolerance.margin(expected):.3g} is allowed"


def _bound(bound: Bound, measured: Any, tolerance: Tolerance) -> str | None:
    number = _number(measured)
    if number is None:
        return f"measured {measured}, which is not a number"
    low, high = bound.at_least, bound.at_most
    if low is not None and number < low - tolerance.margin(low):
        return f"{printed(number)} is below {printed(low, 6)}"
    if high is not None and number > high + tolerance.margin(high):
        return f"{printed(number)} is above {printed(high, 6)}"
    return None


def _order(names: Sequence[str], measured: Any, tolerance: Tolerance) -> str | None:
    """``measured`` is the names best first, or name -> number with the smallest best."""
    if isinstance(measured, Mapping):
        if set(measured) != set(names):
            return f"measured {sorted(measured)}, expected {sorted(names)}"
        for better, worse in pairwise(names):
            a, b = _number(measured[better]), _number(measured[worse])
            if a is None or b is None or a > b + tolerance.margin(b):
                return f"{better} ({measured[better]}) is not ahead of {worse} ({measured[worse]})"
        return None
    if not isinstance(measured, list):
        return f"measured {measured}, which is not an order"
    told = ", ".join(map(str, measured))
    return None if measured == list(names) else f"measured order {told}"


def _shape(shape: str, measured: Any, tolerance: Tolerance) -> str | None:
    """``measured`` is the curve's values in order; slack is relative to the curve's range."""
    if not _is_curve(measured):
        return "the curve has fewer than two points, or one that is not a number"
    values = [float(value) for value in measured]
    spread = max(values) - min(values)
    slack = tolerance.abs + tolerance.rel * spread
    if shape == "constant":
        centre = sum(values) / len(values)
        off = max(abs(value - centre) for value in values)
        return (
            None
            if off <= tolerance.margin(centre)
            else f"moves by {off:.3g} around {printed(centre)}"
        )
    turn = len(values) - 1
    if shape == "unimodal":
        turn = values.index(max(values))
    if shape == "valley":
        turn = values.index(min(values))
    if shape in ("unimodal", "valley") and turn in (0, len(values) - 1):
        return "the turning point lies at the end of the curve"
    sign = 1 if shape in ("increasing", "unimodal") else -1
    for index, (left, right) in enumerate(pairwise(values)):
        step = (right - left) * (sign if index < turn else -sign)
        if step < -slack:
            return f"not {shape}: {printed(left)} then {printed(right)} at point {index + 2}"
    return None


def _is_curve(measured: Any) -> bool:
    if not isinstance(measured, list) or len(measured) < 2:
        return False
    return all(_number(value) is not None for value in measured)
