"""Small random markets, on which enumeration is possible."""

import numpy as np

from quire.spacetime import Sites, Stream, stream


def market(
    random: np.random.Generator, sites: int, quotes: int = 4, flat: bool = False
) -> tuple[Sites, list[Stream]]:
    """Return sites some ten light ns apart, on a line when ``flat``, and a few quotes at each."""
    places = random.normal(size=(sites, 3)) * 0.004
    if flat:
        places[:, 1:] = 0
    streams = []
    for _ in range(sites):
        count = int(random.integers(1, quotes + 1))
        bids = random.integers(95, 101, count)
        asks = bids + random.integers(0, 4, count)
        streams.append(stream(np.sort(random.integers(0, 60, count)), bids, asks))
    return Sites(tuple("abcdef"[:sites]), places), streams


def summary(quotes: set[tuple[int, int]]) -> tuple[int, int, int, int, bool]:
    """Return the ends of the intervals of a set of (bid, ask), and whether one is crossed."""
    bids, asks = zip(*quotes, strict=True)
    return min(bids), max(bids), min(asks), max(asks), any(b > a for b, a in quotes)
