"""The fast methods against slow and independent ones, on random small markets."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from quire.spacetime.cuts._light_cone_nbbo import light_cone_nbbo
from quire.spacetime.cuts.achievable import achievable, quotes_of, states_at
from quire.spacetime.cuts.lattice import achievable_by_enumeration
from quire.spacetime.cuts.segments import EVER, Segments
from quire.spacetime.frames.observers import achievable_by_frames
from quire.spacetime.geometry.sites import Sites
from quire.spacetime.quotes.streams import NO_ASK, NO_BID, Stream, stream


@dataclass(frozen=True)
class Compared:
    """What was compared, and how often it differed."""

    cases: int
    mismatches: int
    ambiguous: int


def random_market(random: np.random.Generator, sites: int) -> tuple[Sites, list[Stream]]:
    """Return sites some ten light ns apart, and one to four quotes at each within 60 ns."""
    streams = []
    for _ in range(sites):
        count = int(random.integers(1, 5))
        bids = random.integers(95, 101, count)
        asks = bids + random.integers(0, 4, count)
        streams.append(stream(np.sort(random.integers(0, 60, count)), bids, asks))
    places = random.normal(size=(sites, 3)) * 0.004
    return Sites(tuple("abcdef"[:sites]), places), streams


def _random_cases(cases: int, seed: int) -> Iterator[tuple[Sites, list[Stream], int, int]]:
    """Yield random markets of two to four sites, each with a random anchor and time."""
    random = np.random.default_rng(seed)
    for _ in range(cases):
        sites, streams = random_market(random, int(random.integers(2, 5)))
        yield sites, streams, int(random.integers(0, len(sites))), int(random.integers(-20, 90))


def against_enumeration(cases: int, seed: int) -> Compared:
    """Compare interval, states and crossing with the enumeration of all cuts.

    Parameters
    ----------
    cases
        Random markets of two to four sites, each at one random anchor and time.
    seed
        Of the random numbers.
    """
    mismatches, ambiguous = 0, 0
    for sites, streams, anchor, time in _random_cases(cases, seed):
        delays = sites.delays_ns()
        truth = achievable_by_enumeration(streams, delays, anchor, time)
        seen = light_cone_nbbo(streams, delays, anchor)
        k = seen.at(time)
        bids, asks = zip(*truth, strict=True)
        interval = (min(bids), max(bids), min(asks), max(asks), any(b > a for b, a in truth))
        found = (
            (NO_BID, NO_BID, NO_ASK, NO_ASK, False)
            if k < 0
            else (seen.bid_low[k], seen.bid_high[k], seen.ask_low[k], seen.ask_high[k],
                  seen.crossed[k])
        )  # fmt: skip
        same = interval == tuple(map(int, found))
        mismatches += not (same and achievable(streams, delays, anchor, time) == truth)
        ambiguous += len(truth) > 1
    return Compared(cases, mismatches, ambiguous)


def frames_against_least_distance(cases: int, seed: int) -> Compared:
    """Compare the states of inertial observers with Lawson and Hanson's least distance programming.

    Parameters
    ----------
    cases
        Random markets of two to four sites, each at one random anchor and time.
    seed
        Of the random numbers.
    """
    mismatches, ambiguous = 0, 0
    for sites, streams, anchor, time in _random_cases(cases, seed):
        table, states = states_at(streams, sites.delays_ns(), anchor, time)
        readable = [
            least_distance(table, state, sites.positions_ns, anchor, time) < 1 for state in states
        ]
        truth = set(map(tuple, quotes_of(table, states[readable]).tolist()))
        found = achievable_by_frames(streams, sites, anchor, time)
        mismatches += found != truth
        ambiguous += len(truth) > 1
    return Compared(cases, mismatches, ambiguous)


def least_distance(
    table: Segments, state: np.ndarray, places: np.ndarray, anchor: int, time: int
) -> float:
    """Return the least |beta| that reads a state, by one non-negative least squares problem.

    min |x| subject to G x >= h is solved by NNLS on [G^T; h^T] against the last unit vector (Lawson
    and Hanson 1974, chapter 23).
    """
    rows, limits = [], []
    for b, j in enumerate(state):
        direction = places[b] - places[anchor]
        if b == anchor:
            continue
        for limit, sign in ((table.starts[j], 1.0), (table.ends[j], -1.0)):
            if abs(int(limit)) != EVER:
                rows.append(sign * direction)
                limits.append(sign * float(limit - time))
    if not rows or max(limits) <= 0:
        return 0.0
    scale = float(np.abs(places).max())
    system = np.concatenate([np.array(rows).T / scale, np.array(limits)[None] / scale])
    target = np.zeros(4)
    target[-1] = 1
    solution, _ = nnls(system, target, maxiter=2000)
    left = system @ solution - target
    if abs(left[-1]) < 1e-10:
        return math.inf
    return float(np.linalg.norm(left[:-1] / left[-1]))
