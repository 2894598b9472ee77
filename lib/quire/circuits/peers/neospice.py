"""neospice: a SPICE written for speed, with Monte Carlo of its own."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from quire import checks


def parametrised(deck: str, analysis: str, varied: Sequence[tuple[str, float]]) -> str:
    """Return the deck with the values of elements as parameters, as neospice varies them.

    Parameters
    ----------
    deck
        A deck without analyses.
    analysis
        A card, such as ``.tran 3u 3m 0 3u``.
    varied
        Element names with nominal values; the value is the card's fourth word.
    """
    nominal = dict(varied)
    lines = []
    for line in deck.splitlines():
        words = line.split()
        if words and words[0].lower() in nominal:
            line = " ".join([*words[:3], "{p_" + words[0].lower() + "}", *words[4:]])
        if line.strip().lower() != ".end":
            lines.append(line)
    parameters = [f".param p_{name}={value:.12g}" for name, value in varied]
    return "\n".join([lines[0], *parameters, *lines[1:], analysis, ".end", ""])


def time_monte_carlo(
    deck: str, varied: Sequence[tuple[str, float]], spread: float, count: int, seed: int
) -> tuple[float, int]:
    """Return the seconds of neospice's own ``monte_carlo`` on all cores, and how many runs failed.

    Parameters
    ----------
    deck
        What `parametrised` returned.
    varied, spread, count, seed
        Elements with nominal values; half width of a uniform draw, relative; runs; seed.
    """
    import neospice

    variations = []
    for name, value in varied:
        variation = neospice.ParameterVariation()
        variation.parameter, variation.nominal = f"p_{name}", value
        variation.distribution = neospice.VariationDistribution.Uniform
        variation.spread = value * spread
        variations.append(variation)
    count = checks.integer("count", count)
    start = time.perf_counter()
    result = neospice.monte_carlo(deck, variations, n=count, seed=seed, workers=0)
    took = time.perf_counter() - start
    return took, sum(bool(sample.error) for sample in result.samples)


def waves(
    deck: str, varied: Sequence[tuple[str, float]], rows: Any, node: str
) -> list[tuple[Any, Any]]:
    """Return times and one node's voltage for given values, through neospice's ``sweep``.

    Parameters
    ----------
    deck, varied
        As in `time_monte_carlo`.
    rows
        One row of values per run.
    node
        Whose voltage.
    """
    import neospice

    points = [
        {f"p_{name}": float(value) for (name, _), value in zip(varied, row, strict=True)}
        for row in np.asarray(rows)
    ]
    result = neospice.sweep(deck, points)
    found = []
    for sample in result.samples:
        transient = sample.result.transient
        found.append((np.asarray(transient.time), np.asarray(transient.voltage(node))))
    return found
