"""The map of where GGRS helps: heterogeneity of the clients against the rank of the subspace.

Everywhere GGRS runs at the same declared setting, tau = 0, gamma = 0.5 and kappa = 1, with only the
rank varied, against FedAvg with the very length of GGRS's steps, on the same draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quire.aggregation.experiments.outcomes import measured, outcomes
from quire.aggregation.experiments.tasks import Setting, Task, draws
from quire.aggregation.intervals import holm, paired_interval, paired_p_value
from quire.aggregation.server.averaging import Averaging
from quire.aggregation.server.ggrs import GGRS
from quire.aggregation.server.servers import Server, regulated, step_matched

SPREADS = (0.0, 0.2, 0.4, 0.6, 0.8)
RANKS = (1, 2, 3, 4, 8, 16)
MEAN = 0.5
MEASURES = ("change", "centred", "accuracy", "fidelity")
LOSS = 0.01  # accuracy that may be lost


@dataclass(frozen=True)
class Place:
    """One place of the map: GGRS minus step-matched FedAvg, means with 95 % intervals.

    ``change_p`` and ``centred_p`` are p-values of the paired t test, not yet adjusted for the
    number of places.
    """

    spread: float
    rank: int
    draws: int
    change: float
    change_low: float
    change_high: float
    change_p: float
    centred: float
    centred_low: float
    centred_high: float
    centred_p: float
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    fidelity: float
    fidelity_low: float
    fidelity_high: float


def survey(
    spreads: Sequence[float], ranks: Sequence[int], count: int, seed: int, how: Setting
) -> tuple[Place, ...]:
    """Measure places of the map on ``count`` draws each, with one program for all."""
    found = []
    for spread in spreads:
        task = Task("", MEAN, spread, 1.0)
        federations = {draw: task.federation(draw) for draw in draws(0, count, seed)}
        servers: dict[str, Server] = {}
        for rank in ranks:
            ggrs = GGRS(tau=0.0, rank=rank, gamma=0.5, kappa=1.0)
            servers[f"GGRS {rank}"] = regulated(ggrs)
            servers[f"matched {rank}"] = step_matched(Averaging(), ggrs)
        rows = outcomes(federations, servers, how.network(), how.training())
        tables = {name: measured(rows, name) for name in MEASURES}
        for rank in ranks:
            values: list[float] = []
            for name, table in tables.items():
                ours, theirs = table[f"GGRS {rank}"], table[f"matched {rank}"]
                values += paired_interval(ours, theirs)[:3]
                if name in ("change", "centred"):
                    values.append(paired_p_value(ours, theirs))
            found.append(Place(spread, rank, count, *(round(x, 6) for x in values)))
    return tuple(found)


def judged(places: Sequence[Place], measure: str = "change") -> tuple[str, ...]:
    """Return what each place says of GGRS by a measure, after Holm over all places.

    The measure is ``change`` or ``centred``.

    ``helps``: more sensitivity, and the accuracy lost is a point at most, by its whole interval;
    ``trades``: more sensitivity, and more than a point lost, by its whole interval;
    ``unclear``: more sensitivity, with an interval of accuracy astride the line;
    ``no gain``: no more sensitivity, or not decided.
    """
    p = holm(np.array([getattr(place, f"{measure}_p") for place in places]))

    def one(place: Place, adjusted: float) -> str:
        if adjusted > 0.05 or getattr(place, f"{measure}_low") <= 0:
            return "no gain"
        if place.accuracy_low >= -LOSS:
            return "helps"
        return "trades" if place.accuracy_high < -LOSS else "unclear"

    return tuple(one(place, float(x)) for place, x in zip(places, p, strict=True))


def disagreement(stored: Sequence[Place], anew: Sequence[Place]) -> float:
    """Return by how much stored and newly measured places differ, in any mean."""
    before = {(place.spread, place.rank): place for place in stored}
    return max(
        abs(getattr(place, name) - getattr(before[place.spread, place.rank], name))
        for place in anew
        for name in MEASURES
    )
