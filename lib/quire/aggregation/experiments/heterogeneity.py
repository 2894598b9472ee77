"""Interference against the heterogeneity of clients' graphs, at a fixed mean homophily."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quire.aggregation.experiments.outcomes import measured, outcomes_of
from quire.aggregation.experiments.tasks import Setting, Task, draws
from quire.aggregation.intervals import Interval, mean_interval, paired_interval
from quire.aggregation.rounds import Run
from quire.aggregation.server.servers import fedavg

MEASURES = ("interference", "conflict", "coherence", "accuracy", "change", "centred")


@dataclass(frozen=True)
class Along:
    """One measure under FedAvg at one mean and spread of homophily, with a 95 % interval."""

    mean: float
    spread: float
    measure: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Turned:
    """What turning the spread from 0 to its largest does to a measure, paired by draw."""

    mean: float
    spread: float
    measure: str
    difference: float
    low: float
    high: float


def along(
    settings: Sequence[tuple[float, float]], count: int, seed: int, how: Setting
) -> tuple[tuple[Along, ...], tuple[Turned, ...]]:
    """Train FedAvg for every (mean, spread), each on the same ``count`` draws.

    A draw fixes classes, centres, features, splits, first parameters and dropout; the spread
    changes the edges alone. For every mean that has a spread of 0, the second result holds the
    difference that its largest spread makes.
    """
    rows, values = [], {}
    numbers = list(draws(0, count, seed))
    runs = [
        Run(Task("", mean, spread, 1.0).federation(draw), fedavg(), draw)
        for mean, spread in settings
        for draw in numbers
    ]
    every = outcomes_of(runs, ["FedAvg"], how.network(), how.training())
    for place, (mean, spread) in enumerate(settings):
        found = every[place * count : (place + 1) * count]
        for name in MEASURES:
            values[mean, spread, name] = measured(found, name)["FedAvg"]
            interval = mean_interval(values[mean, spread, name])
            rows.append(Along(mean, spread, name, *interval[:3]))
    turned = []
    for mean in sorted({mean for mean, spread in settings if spread == 0}):
        last = max(spread for other, spread in settings if other == mean)
        if last > 0:
            for name in MEASURES:
                gap: Interval = paired_interval(values[mean, last, name], values[mean, 0.0, name])
                turned.append(Turned(mean, last, name, *gap[:3]))
    return tuple(rows), tuple(turned)


def unrelated(clients: int) -> float:
    """Return the DI of equally long updates that are orthogonal to one another."""
    return 1 - 1 / float(np.sqrt(clients))
