"""Timing: several ways to the same result, run in turn, so that a ratio outlives a slow machine."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Race:
    """Seconds of every round, by runner; round k of all runners ran next to each other."""

    seconds: dict[str, tuple[float, ...]]

    def median(self, name: str) -> float:
        """Return the median seconds of a runner."""
        return statistics.median(self.seconds[name])

    def ratio(self, name: str, other: str) -> float:
        """Return the median over rounds of ``name``'s seconds over ``other``'s."""
        pairs = zip(self.seconds[name], self.seconds[other], strict=True)
        return statistics.median(mine / theirs for mine, theirs in pairs)

    def ratio_interval(self, name: str, other: str) -> tuple[float, float]:
        """Return the interval of the median ratio: what ``measure(..., interval=...)`` takes.

        The order statistics that hold the median with a probability of at least 95 %, whatever the
        distribution of the rounds; with fewer than six rounds no such pair exists, and the least
        and the largest ratio are returned.
        """
        pairs = zip(self.seconds[name], self.seconds[other], strict=True)
        ratios = sorted(mine / theirs for mine, theirs in pairs)
        rounds = len(ratios)
        below, rank = 0.5**rounds, 0  # P(fewer than rank + 1 ratios lie below the median)
        while below <= 0.025 and rank < (rounds - 1) // 2:
            rank += 1
            below += math.comb(rounds, rank) * 0.5**rounds
        low = max(rank - 1, 0)
        return ratios[low], ratios[rounds - 1 - low]


_REST = 0.05
"""Seconds before each timed run: a BLAS's threads spin for a while after their work, and would take
a core from whoever comes next."""


def race(runners: Mapping[str, Callable[[], Any]], rounds: int = 5) -> Race:
    """Run every runner once to warm up, then all in turn, ``rounds`` times.

    A result that is still being computed (a JAX array) is waited for.
    """
    for run in runners.values():
        _finish(run())
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(rounds):
        for name, run in runners.items():
            time.sleep(_REST)
            started = time.perf_counter()
            _finish(run())
            seconds[name].append(time.perf_counter() - started)
    return Race({name: tuple(values) for name, values in seconds.items()})


def _finish(result: Any) -> None:
    if hasattr(result, "block_until_ready"):
        result.block_until_ready()
