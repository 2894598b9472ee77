"""Intervals: where an uncertain measurement lies to what a claim accepts.

Let R be the accepted region. An interval lies *inside* R (the claim holds), *outside* R (it does
not) or *astride* its edge (undecided). An order is decided pair by pair of neighbours, a curve step
by step; an exact claim takes no interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

from quire.workbook.cards import Bound, Claim, Tolerance
from quire.workbook.numerals import printed

Place = Literal["inside", "astride", "outside"]
Pair = tuple[float, float]

# A mean of equal numbers may differ from them in the last digits.
_ROUNDING = 1e-9


def unfit(claim: Claim, measured: Any, interval: Any) -> str | None:
    """Return in words why ``interval`` is none of ``measured``, or None when it is one."""
    match claim.kind:
        case "exact":
            return "an exact claim takes no interval"
        case "value" | "bound":
            return _unfit_pair(measured, interval)
        case "order":
            if not isinstance(measured, Mapping):
                return "an order with intervals is measured as a mapping from name to number"
            if not isinstance(interval, Mapping) or set(interval) != set(measured):
                return f"the intervals need one (low, high) for each of {sorted(measured)}"
            return _first(_unfit_pair(measured[name], interval[name]) for name in measured)
        case "shape":
            if not isinstance(measured, Sequence) or isinstance(measured, str):
                return f"measured {measured}, which is not a curve"
            if not isinstance(interval, Sequence) or len(interval) != len(measured):
                return f"the intervals need one (low, high) for each of {len(measured)} points"
            return _first(_unfit_pair(m, i) for m, i in zip(measured, interval, strict=True))


def place(claim: Claim, measured: Any, interval: Any, tolerance: Tolerance) -> tuple[Place, str]:
    """Return where an interval that fits lies to ``claim``, and why it is not inside.

    Parameters
    ----------
    claim
        A claim of kind value, bound, order or shape.
    measured, interval
        What `unfit` finds no fault with.
    tolerance
        The claim's own, or the wider one of a known difference.
    """
    match claim.kind:
        case "value":
            margin = tolerance.margin(claim.expect)
            return _to_region(interval, claim.expect - margin, claim.expect + margin)
        case "bound":
            bound = Bound.model_validate(claim.expect)
            low, high = bound.at_least, bound.at_most
            return _to_region(
                interval,
                -math.inf if low is None else low - tolerance.margin(low),
                math.inf if high is None else high + tolerance.margin(high),
            )
        case "order":
            return _order(claim.expect, interval, tolerance)
        case _:
            return _shape(claim.expect, measured, interval, tolerance)


def _to_region(interval: Any, low: float, high: float) -> tuple[Place, str]:
    a, b = map(float, interval)
    told = f"{printed(a)} to {printed(b)}"
    if low <= a and b <= high:
        return "inside", ""
    if b < low:
        return "outside", f"{told} is below {printed(low)}"
    if a > high:
        return "outside", f"{told} is above {printed(high)}"
    edge = low if a < low else high
    return "astride", f"{told} lies on both sides of {printed(edge)}"


def _order(names: Sequence[str], intervals: Any, tolerance: Tolerance) -> tuple[Place, str]:
    if set(intervals) != set(names):
        return "outside", f"measured {sorted(intervals)}, expected {sorted(names)}"
    open_pairs = []
    for better, worse in pairwise(names):
        (a_low, a_high), (b_low, b_high) = intervals[better], intervals[worse]
        if a_low > b_high + tolerance.margin(b_high):
            return "outside", f"{better} is behind {worse}"
        if a_high > b_low + tolerance.margin(b_low):
            open_pairs.append(f"{better} and {worse}")
    if open_pairs:
        return "astride", f"the intervals of {', '.join(open_pairs)} overlap"
    return "inside", ""


def _shape(
    shape: str, curve: Sequence[float], intervals: Sequence[Pair], tolerance: Tolerance
) -> tuple[Place, str]:
    spread = max(curve) - min(curve)
    if shape == "constant":
        centre = sum(curve) / len(curve)
        margin = tolerance.margin(centre)
        places = [_to_region(i, centre - margin, centre + margin) for i in intervals]
        for wanted in ("outside", "astride"):
            for index, (where, reason) in enumerate(places):
                if where == wanted:
                    return where, f"point {index + 1}: {reason}"
        return "inside", ""
    slack = tolerance.abs + tolerance.rel * spread
    last = len(curve) - 1
    turns = [last] if shape in ("increasing", "decreasing") else list(range(1, last))
    if not turns:
        return "outside", "the turning point lies at the end of the curve"
    rises_first = shape in ("increasing", "unimodal")
    places_by_turn = [_steps(intervals, turn, rises_first, slack) for turn in turns]
    if "inside" in places_by_turn:
        return "inside", ""
    if "astride" in places_by_turn:
        return "astride", f"the intervals allow a curve that is {shape} and one that is not"
    return "outside", f"no curve inside the intervals is {shape}"


def _steps(intervals: Sequence[Pair], turn: int, rises_first: bool, slack: float) -> Place:
    where: Place = "inside"
    for index, ((a_low, a_high), (b_low, b_high)) in enumerate(pairwise(intervals)):
        rises = rises_first == (index < turn)
        least, most = (
            (b_low - a_high, b_high - a_low) if rises else (a_low - b_high, a_high - b_low)
        )
        if most < -slack:
            return "outside"
        if least < -slack:
            where = "astride"
    return where


def _unfit_pair(measured: Any, interval: Any) -> str | None:
    if (
        not isinstance(interval, Sequence)
        or isinstance(interval, str)
        or len(interval) != 2
        or not all(_is_number(end) for end in interval)
        or not _is_number(measured)
    ):
        return f"the interval {interval} of {measured} is not (low, high)"
    low, high = interval
    if low > high:
        return f"the interval {printed(low)} to {printed(high)} is upside down"
    slack = _ROUNDING * max(abs(low), abs(high))
    if not low - slack <= measured <= high + slack:
        told = f"the interval {printed(low)} to {printed(high)}"
        return f"{told} does not hold the measured {printed(measured)}"
    return None


def _first(faults: Iterable[str | None]) -> str | None:
    return next((fault for fault in faults if fault is not None), None)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) or math.isfinite(value)
