"""Intervals of what is measured."""

from collections.abc import Sequence

import numpy as np
from scipy import special

from quire import checks


def mean_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float, float]:
    """Return a mean with Student's interval; at least two values.

    Raises
    ------
    ValueError
        For fewer than two values, NaN, or a level outside (0, 1).
    """
    array = checks.real_array("values", values, 1)
    checks.integer("len(values)", len(array), 2)
    checks.between("level", level, 0.0, 1.0)
    mean = float(array.mean())
    half = float(
        special.stdtrit(len(array) - 1, (1 + level) / 2) * array.std(ddof=1) / len(array) ** 0.5
    )
    return mean, mean - half, mean + half


def cluster_interval(
    values: Sequence[float], clusters: Sequence[str], rounds: int, seed: int
) -> tuple[float, float, float]:
    """Return a mean with its 95 % bootstrap interval, whole clusters drawn.

    Windows of one incident are no independent cases: incidents are drawn, not windows.

    Raises
    ------
    ValueError
        For lengths that differ, NaN, or too few rounds.
    """
    array = checks.real_array("values", values, 1)
    checks.integer("rounds", rounds, 20)
    if len(clusters) != len(array):
        raise ValueError(f"clusters = {len(clusters)} entries: must be {len(array)}")
    _, codes = np.unique(np.array(list(clusters)), return_inverse=True)
    sums = np.bincount(codes, array)
    sizes = np.bincount(codes)
    rng = np.random.default_rng(checks.integer("seed", seed, 0))
    drawn = rng.integers(0, len(sums), (rounds, len(sums)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(array.mean()), float(low), float(high)


def ratio_interval(
    above: Sequence[float], below: Sequence[float], clusters: Sequence[str], rounds: int, seed: int
) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a ratio of sums, whole clusters drawn.

    Raises
    ------
    ValueError
        For lengths that differ, NaN, or too few rounds.
    """
    tops = checks.real_array("above", above, 1)
    bottoms = checks.real_array("below", below, 1, least=0.0)
    checks.integer("rounds", rounds, 20)
    if not len(clusters) == len(tops) == len(bottoms):
        raise ValueError(f"clusters = {len(clusters)} entries: must be {len(tops)}")
    _, codes = np.unique(np.array(list(clusters)), return_inverse=True)
    sums, sizes = np.bincount(codes, tops), np.bincount(codes, bottoms)
    rng = np.random.default_rng(checks.integer("seed", seed, 0))
    drawn = rng.integers(0, len(sums), (rounds, len(sums)))
    low, high = np.quantile(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)
