"""How fast the light-cone NBBO streams, beside a plain pass over the same quotes.

All methods run on one thread; what is counted are its processor seconds, so that other programs on
the machine do not count.
"""

import time
from dataclasses import dataclass

import numpy as np

from quire.spacetime.cuts._light_cone_nbbo import light_cone_nbbo
from quire.spacetime.frames.observers import unseen_states
from quire.spacetime.geometry.sites import Sites
from quire.spacetime.quotes.streams import Stream, _best_pass, best_of, merged, stream


@dataclass(frozen=True)
class SpeedRow:
    """One method in one round: processor seconds, and quotes a second."""

    method: str
    round: int
    quotes: int
    seconds: float

    @property
    def rate(self) -> float:
        """Quotes a second."""
        return self.quotes / self.seconds


METHODS = (
    "plain pass over merged quotes",
    "plain NBBO from venue streams",
    "light-cone NBBO from venue streams",
    "unseen states and their slowest observers",
)


def rounds_of(venues: int, quotes: int, rounds: int, sites: Sites, seed: int) -> list[SpeedRow]:
    """Time every method in turn on random quotes, warmed up.

    Quotes come at random moments, ten thousand a second in all, as random walks of one tick.

    Parameters
    ----------
    venues
        Shared out over the sites.
    quotes
        In all.
    rounds
        How many.
    sites
        Where the venues stand.
    seed
        Of the quotes.
    """
    streams = _walks(venues, quotes // venues, seed)
    total = sum(len(each) for each in streams)
    delays = sites.delays_ns()
    _, number, bids, asks = merged(streams)

    def by_site() -> list[Stream]:
        return [best_of(streams[k :: len(sites)]) for k in range(len(sites))]

    short = [Stream(each.times[:2000], each.bids[:2000], each.asks[:2000]) for each in by_site()]
    small = [best_of(streams[k :: len(sites)]) for k in range(len(sites))]
    runs = (
        lambda: _best_pass(number, bids, asks, venues),
        lambda: best_of(streams),
        lambda: light_cone_nbbo(by_site(), delays, 0),
        lambda: unseen_states(small, sites),
    )
    unseen_states(short, sites)
    for run in runs[:3]:
        run()
    rows = []
    for k in range(rounds):
        for method, run in zip(METHODS, runs, strict=True):
            started = time.thread_time()
            run()
            rows.append(SpeedRow(method, k, total, time.thread_time() - started))
    return rows


def ratios(rows: list[SpeedRow], method: str, other: str) -> tuple[float, float, float]:
    """Return the median over rounds of one method's seconds over another's, and its range.

    With fewer than six rounds the range is the least to the greatest, else without the extremes.
    """
    mine = np.array([row.seconds for row in rows if row.method == method])
    theirs = np.array([row.seconds for row in rows if row.method == other])
    return _middle(mine / theirs)


def rates(rows: list[SpeedRow], method: str) -> tuple[float, float, float]:
    """Return the median quotes a second of a method, and the range as `ratios` does."""
    return _middle(np.array([row.rate for row in rows if row.method == method]))


def _middle(values: np.ndarray) -> tuple[float, float, float]:
    ordered = np.sort(values)
    cut = 1 if len(ordered) >= 6 else 0
    return float(np.median(ordered)), float(ordered[cut]), float(ordered[len(ordered) - 1 - cut])


def _walks(venues: int, each: int, seed: int) -> list[Stream]:
    random = np.random.default_rng(seed)
    streams = []
    for _ in range(venues):
        gaps = random.exponential(1e9 * venues / 10_000, each)
        times = np.cumsum(gaps).astype(np.int64)
        middle = 10_000 + np.cumsum(random.integers(-1, 2, each))
        middle = 10_000 + (middle - 10_000) % 7  # stays near the other venues'
        streams.append(stream(times, middle, middle + random.integers(1, 4, each)))
    return streams
