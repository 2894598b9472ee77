"""Silent failure: equal accuracy and unequal sensitivity, by two definitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from quire.aggregation.experiments.outcomes import ALONE, Outcome, measured
from quire.aggregation.intervals import mean_interval

EQUAL = 0.005  # accuracies that differ by at most this are equal
GAP = 0.1  # a relative gap in sensitivity beyond this is a different sensitivity


@dataclass(frozen=True)
class Apart:
    """The pair of servers, equal in mean accuracy, that is furthest apart in sensitivity.

    The interval is over draws, at a level that allows for having looked at all pairs (Bonferroni).
    """

    one: str
    other: str
    gap: float
    low: float
    high: float
    pairs: int  # pairs of equal mean accuracy


@dataclass(frozen=True)
class Pairs:
    """Pairs of single runs of equal accuracy: of two servers, on one draw or on different ones."""

    kind: str
    equal: int
    apart: int  # with a relative gap beyond `GAP`
    largest: float


def servers_apart(rows: Sequence[Outcome], measure: str = "change") -> Apart:
    """Compare servers' means of accuracy and of a measure; clients alone are no server."""
    accuracy, change = measured(rows, "accuracy"), measured(rows, measure)
    names = [name for name in accuracy if name != ALONE]
    found = []
    for a, b in combinations(names, 2):
        if abs(accuracy[a].mean() - accuracy[b].mean()) <= EQUAL:
            one, other = (a, b) if change[a].mean() >= change[b].mean() else (b, a)
            found.append((relative(change[one].mean(), change[other].mean()), one, other))
    if not found:
        return Apart("none", "none", 0.0, 0.0, 0.0, 0)
    _, one, other = max(found)
    gaps = np.array([relative(x, y) for x, y in zip(change[one], change[other], strict=True)])
    interval = mean_interval(gaps, 1 - 0.05 / len(found))
    return Apart(one, other, *interval[:3], len(found))


def runs_apart(rows: Sequence[Outcome]) -> tuple[Pairs, ...]:
    """Compare single runs of different servers: first on the same draw, then on different ones."""
    mine = [row for row in rows if row.server != ALONE]
    kinds: dict[str, list[float]] = {"same draw": [], "different draws": []}
    for a, b in combinations(mine, 2):
        if a.server != b.server and abs(a.accuracy - b.accuracy) <= EQUAL:
            kind = "same draw" if a.draw == b.draw else "different draws"
            kinds[kind].append(abs(relative(a.change, b.change)))
    return tuple(
        Pairs(kind, len(gaps), sum(gap > GAP for gap in gaps), max(gaps, default=0.0))
        for kind, gaps in kinds.items()
    )


def relative(one: float, other: float) -> float:
    """Return how far ``one`` lies above ``other``, relative to the larger of the two."""
    return (one - other) / max(one, other)
