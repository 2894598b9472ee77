"""Step functions as numbered segments, in the form that compiled kernels read.

The segments of all sites lie one after another in flat arrays. The first of a site reaches back
for ever and has no quote. The segments j of site a and k of site b are *compatible* when some
reading times in them differ by less than the light time L_ab: start_k - end_j < L_ab and
start_j - end_k < L_ab. Theorem: with a metric L, segments of all sites lie on one consistent cut
exactly if they are compatible pair by pair (the system of differences has no other tight cycle).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Int
from numba import njit

from quire.spacetime.quotes.streams import NO_ASK, NO_BID, Stream

EVER = 2**62
"""Stands for no limit in time, ns."""


@dataclass(frozen=True, eq=False)
class Segments:
    """The segments of all sites.

    Attributes
    ----------
    first
        Where each site's segments begin, and where the last one's end.
    starts, ends
        When a segment begins to hold, and when it no longer does, ns.
    bids, asks
        What it says, ticks.
    """

    first: Int[np.ndarray, " sites_and_one"]
    starts: Int[np.ndarray, " segments"]
    ends: Int[np.ndarray, " segments"]
    bids: Int[np.ndarray, " segments"]
    asks: Int[np.ndarray, " segments"]


def segments_of(streams: Sequence[Stream]) -> Segments:
    """Return the segments of checked streams, one stream per site."""
    starts, ends, bids, asks = [], [], [], []
    for each in streams:
        starts.append(np.concatenate([[-EVER], each.times]))
        ends.append(np.concatenate([each.times, [EVER]]))
        bids.append(np.concatenate([[NO_BID], each.bids]))
        asks.append(np.concatenate([[NO_ASK], each.asks]))
    first = np.concatenate([[0], np.cumsum([len(part) for part in starts])])
    return Segments(
        first.astype(np.int64),
        np.concatenate(starts).astype(np.int64),
        np.concatenate(ends).astype(np.int64),
        np.concatenate(bids).astype(np.int64),
        np.concatenate(asks).astype(np.int64),
    )


@njit(cache=True, inline="always")
@no_type_check
def compatible(starts, ends, j, k, delay):
    """Whether two segments of different sites lie on a common cut."""
    # No difference of two times below 2**61 and a start of -2**62 leaves int64.
    return starts[k] - delay < ends[j] and starts[j] - delay < ends[k]


@njit(cache=True)
@no_type_check
def window(first, starts, ends, site, anchor, time, delay):
    """Return the first and last segment of ``site`` that an observer at the anchor may read.

    Other sites may be read at any moment strictly inside (time - delay, time + delay), the anchor
    at ``time`` itself.
    """
    low, high = first[site], first[site + 1] - 1
    if site == anchor:
        j = low + np.searchsorted(starts[low : high + 1], time, side="right") - 1
        return j, j
    # the first segment that ends after time - delay; the last that starts before time + delay
    a = low + np.searchsorted(ends[low : high + 1], time - delay, side="right")
    b = low + np.searchsorted(starts[low : high + 1], time + delay, side="left") - 1
    return a, b
