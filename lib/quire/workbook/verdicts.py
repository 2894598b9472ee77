"""Verdicts: a claim and what was measured, judged by rule and by nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from quire.workbook.cards import Bound, Claim, Tolerance

Verdict = Literal["reproduced", "not reproduced", "differs", "not run here"]
VERDICTS: tuple[Verdict, ...] = ("reproduced", "differs", "not reproduced", "not run here")


@dataclass(frozen=True)
class Judgement:
    """A verdict and the sentence that explains it (empty when reproduced)."""

    verdict: Verdict
    reason: str = ""


def judge(claim: Claim, measured: Any) -> Judgement:
    """Hold ``measured`` against ``claim``.

    *reproduced* inside the claim's tolerance; *differs* outside it but inside the wider tolerance
    that the card wrote down with a reason; otherwise *not reproduced*. A measurement that is not a
    number where one is expected is not reproduced.
    """
    fault = _miss(claim, measured, claim.tolerance)
    if fault is None:
        return Judgement("reproduced")
    if claim.differs is not None and _miss(claim, measured, claim.differs.tolerance) is None:
        return Judgement("differs", claim.differs.because)
    return Judgement("not reproduced", fault)


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
    return None if math.isnan(measured) else float(measured)


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
        return f"{number:.4g} is below {low:g}"
    if high is not None and number > high + tolerance.margin(high):
        return f"{number:.4g} is above {high:g}"
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
    return None if list(measured) == list(names) else f"measured order {', '.join(measured)}"


def _shape(shape: str, measured: Any, tolerance: Tolerance) -> str | None:
    """``measured`` is the curve's values in order; slack is relative to the curve's range."""
    curve = [_number(value) for value in measured]
    if len(curve) < 2 or any(value is None for value in curve):
        return "the curve has fewer than two points, or one that is not a number"
    values = [value for value in curve if value is not None]
    spread = max(values) - min(values)
    slack = tolerance.abs + tolerance.rel * spread
    if shape == "constant":
        centre = sum(values) / len(values)
        off = max(abs(value - centre) for value in values)
        return (
            None if off <= tolerance.margin(centre) else f"moves by {off:.3g} around {centre:.4g}"
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
            return f"not {shape}: {left:.4g} then {right:.4g} at point {index + 2}"
    return None
