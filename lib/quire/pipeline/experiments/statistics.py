"""Means with intervals: what a claim that depends on random draws is measured with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from quire import checks


class Mean(NamedTuple):
    """A mean and its two-sided 95 % confidence interval by Student's t."""

    value: float
    low: float
    high: float

    @property
    def interval(self) -> tuple[float, float]:
        """The interval as a pair."""
        return self.low, self.high


def proportion(successes: int, trials: int) -> Mean:
    """Share of successes with the exact 95 % interval of Clopper and Pearson.

    Raises
    ------
    ValueError
        If there is no trial, or more successes than trials.
    """
    trials = checks.integer("trials", trials)
    found = stats.binomtest(checks.integer("successes", successes, 0, trials), trials)
    low, high = found.proportion_ci(0.95, method="exact")
    return Mean(successes / trials, float(low), float(high))


def mean(values: Sequence[float], digits: int = 4) -> Mean:
    """Average independent draws; rounded outwards to ``digits``, so that the interval holds it.

    Raises
    ------
    ValueError
        If there are fewer than two values, or one is not finite.
    """
    given = np.asarray(values, dtype=float)
    if given.ndim != 1 or len(given) < 2 or not np.isfinite(given).all():
        raise ValueError(f"values = {values}: give two or more finite numbers")
    centre, error = float(given.mean()), float(stats.sem(given))
    half = float(stats.t.ppf(0.975, len(given) - 1)) * error
    unit = 10.0**-digits
    low, high = np.floor((centre - half) / unit) * unit, np.ceil((centre + half) / unit) * unit
    return Mean(*(round(float(x), digits) for x in (centre, low, high)))
