"""Causal order of events at sites: happened-before at the speed of light.

An event happens at a site at a time. e precedes f when light from e reaches f's site by f's time,
on the cone included; at one site the earlier precedes, or at equal times the one listed first. With
a metric of delays this is a partial order. It is Lamport's happened-before when every event is
broadcast at the speed of light: vector clocks tell the same.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from quire.checks import integer
from quire.spacetime.geometry.sites import LATEST, delay_matrix

_MOST_EVENTS = 20_000
_MOST_CUTS = 100_000


@dataclass(frozen=True)
class LostOrder:
    """How much of the total order of events light leaves open.

    Attributes
    ----------
    cuts
        Number of consistent cuts: sets of events that hold all causes of their members.
    orders
        Number of total orders that agree with causality (linear extensions).
    """

    cuts: int
    orders: int

    @property
    def digits(self) -> float:
        """The logarithm to base 10 of the number of orders."""
        return math.log10(self.orders)


def precedes(times: Any, places: Any, delays: Any) -> Bool[np.ndarray, "events events"]:
    """Return the causal order: entry (e, f) tells whether e precedes f.

    Parameters
    ----------
    times
        Whole ns, one per event.
    places
        The site of each event.
    delays
        Light delays between sites, whole ns, a metric.

    Raises
    ------
    ValueError
        For arguments that do not fit, or more than 20,000 events.
    """
    when, where, metric = _events(times, places, delays)
    apart = when[None, :] - when[:, None]
    before = apart >= metric[where[:, None], where[None, :]]
    same = where[:, None] == where[None, :]
    listed = np.arange(len(when))[:, None] < np.arange(len(when))[None, :]
    return np.where(same, (apart > 0) | ((apart == 0) & listed), before)


def vector_clocks(times: Any, places: Any, delays: Any) -> Int[np.ndarray, "events sites"]:
    """Return the vector clock of each event when every event is broadcast at the speed of light.

    Entry (e, a) counts the events of site a that e knows of, itself included. e precedes f exactly
    if e is not f and e's clock is nowhere above f's (Fidge; Mattern). The events of one site must
    come in the order of their times.

    Raises
    ------
    ValueError
        For arguments that do not fit.
    """
    when, where, metric = _events(times, places, delays)
    clocks = np.zeros((len(when), len(metric)), np.int64)
    for a in range(len(metric)):
        mine = when[where == a]
        if (np.diff(mine) < 0).any():
            raise ValueError(f"times: events of site {a} must come in the order of their times")
        for b in range(len(metric)):
            here = np.flatnonzero(where == b)
            if a == b:
                clocks[here, a] = np.arange(1, len(here) + 1)
            else:
                clocks[here, a] = np.searchsorted(mine, when[here] - metric[a, b], side="right")
    return clocks


def lost_order(times: Any, places: Any, delays: Any) -> LostOrder:
    """Count the consistent cuts and the total orders that agree with causality.

    Dynamic programme over the cuts, which form a lattice: how many orders reach a cut is the sum
    over the cuts that lack one of its last events.

    Raises
    ------
    ValueError
        For arguments that do not fit, or more than a hundred thousand cuts.
    """
    when, where, metric = _events(times, places, delays)
    order = np.lexsort((np.arange(len(when)), when))
    chains = [order[where[order] == a] for a in range(len(metric))]
    before = precedes(when, where, metric)
    # how many events of each site an event needs to have happened
    needs = np.array([[int(before[chain, e].sum()) for chain in chains] for e in range(len(when))])
    ways = {tuple([0] * len(chains)): 1}
    cuts = 1
    for _ in range(len(when)):
        following: dict[tuple[int, ...], int] = {}
        for cut, count in ways.items():
            for a, chain in enumerate(chains):
                if cut[a] == len(chain):
                    continue
                if all(n <= c for n, c in zip(needs[chain[cut[a]]], cut, strict=True)):
                    after = (*cut[:a], cut[a] + 1, *cut[a + 1 :])
                    following[after] = following.get(after, 0) + count
        ways = following
        cuts += len(ways)
        if cuts > _MOST_CUTS:
            raise ValueError(f"times: more than {_MOST_CUTS:,} consistent cuts; take fewer events")
    return LostOrder(cuts, sum(ways.values()))


def _events(
    times: Any, places: Any, delays: Any
) -> tuple[Int[np.ndarray, " events"], Int[np.ndarray, " events"], Int[np.ndarray, "sites sites"]]:
    metric = delay_matrix(delays)
    when, where = np.asarray(times), np.asarray(places)
    if when.ndim != 1 or not 0 < when.size <= _MOST_EVENTS or when.dtype.kind not in "iu":
        raise ValueError(f"times: must be 1 to {_MOST_EVENTS} whole numbers of ns")
    if where.shape != when.shape or where.dtype.kind not in "iu":
        raise ValueError("places: must be one whole number per time")
    if when.min() <= -LATEST or when.max() >= LATEST:
        raise ValueError("times: must be below 2**60 ns in size")
    integer("places", int(where.min()), 0)
    integer("places", int(where.max()), 0, len(metric) - 1)
    return when.astype(np.int64), where.astype(np.int64), metric
