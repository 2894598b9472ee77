"""Intervals for differences between runs that share their draws, and Holm's adjustment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

from quire.aggregation.errors import SettingError, require_range, settled
from quire.checks import real_array
from quire.signatures import checked


class Interval(NamedTuple):
    """A mean with a two-sided interval."""

    mean: float
    low: float
    high: float
    level: float

    @property
    def decided(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


def mean_interval(values: Float[np.ndarray, " S"], level: float = 0.95) -> Interval:
    """Return Student's t interval for the mean of S independent values.

    Raises
    ------
    SettingError
        For fewer than two values, or one that is not finite.
    """
    require_range("level", level, 0, 1, low_open=True, high_open=True)
    values = settled(real_array, "values", values, 1)
    if len(values) < 2:
        raise SettingError(f"{len(values)} value has no interval; run at least two seeds")
    mean = float(np.mean(values))
    half = float(stats.t.ppf((1 + level) / 2, len(values) - 1) * stats.sem(values))
    return Interval(mean, mean - half, mean + half, level)


def paired_interval(
    left: Float[np.ndarray, " S"], right: Float[np.ndarray, " T"], level: float = 0.95
) -> Interval:
    """Return the t interval for the mean of left - right over seeds that both runs share.

    Raises
    ------
    SettingError
        When the two have different numbers of seeds, or fewer than two.
    """
    return mean_interval(_differences(left, right), level)


def _differences(
    left: Float[np.ndarray, " S"], right: Float[np.ndarray, " T"]
) -> Float[np.ndarray, " S"]:
    left, right = settled(real_array, "left", left, 1), settled(real_array, "right", right, 1)
    if len(left) != len(right):
        raise SettingError(f"{len(left)} seeds against {len(right)}; pair the same seeds")
    return left - right


def holm(p_values: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    """Return p-values adjusted for m comparisons. Source: Holm (1979).

    Raises
    ------
    SettingError
        When one does not lie from 0 to 1.
    """
    p_values = settled(real_array, "p_values", p_values, 1, least=0)
    require_range("p_values", float(p_values.max()), 0, 1)
    order = np.argsort(p_values)
    scaled = np.maximum.accumulate((len(p_values) - np.arange(len(p_values))) * p_values[order])
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(scaled, 1.0)
    return adjusted


def paired_p_value(left: Float[np.ndarray, " S"], right: Float[np.ndarray, " S"]) -> float:
    """Return the two-sided p-value of the paired t test; 1 when all differences are zero.

    Raises
    ------
    SettingError
        When the two have different numbers of seeds, fewer than two, or one is not finite.
    """
    difference = _differences(left, right)
    if len(difference) < 2:
        raise SettingError(f"{len(difference)} seed has no p-value; run at least two seeds")
    if np.ptp(difference) == 0:
        return 1.0 if difference[0] == 0 else 0.0
    return float(stats.ttest_1samp(difference, 0.0).pvalue)


class Comparison(NamedTuple):
    """One method against a rival over shared draws; differences are method minus rival."""

    rival: str
    difference: Interval
    p_value: float  # of the paired t test, adjusted after Holm for all rivals

    @property
    def verdict(self) -> str:
        """``more``, ``less``, or ``undecided`` where the adjusted p-value exceeds 1 - level."""
        if not self.difference.decided or self.p_value > 1 - self.difference.level:
            return "undecided"
        return "more" if self.difference.low > 0 else "less"


@checked
def compare(
    ours: Float[np.ndarray, " S"],
    others: Mapping[str, Float[np.ndarray, " S"]],
    level: float = 0.95,
) -> tuple[Comparison, ...]:
    """Compare one value per draw with every rival's on the same draws.

    Intervals are paired t intervals at ``level``, one by one; p-values are adjusted for all rivals.
    Without a rival there is nothing to tell.
    """
    if not others:
        return ()
    p_values = holm(np.array([paired_p_value(ours, other) for other in others.values()]))
    return tuple(
        Comparison(name, paired_interval(ours, other, level), float(p))
        for (name, other), p in zip(others.items(), p_values, strict=True)
    )
