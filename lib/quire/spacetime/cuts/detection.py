"""Which prices some consistent cut shows: detection of conjunctive predicates.

"The best bid is at most theta" says of every site that its bid is at most theta: a conjunction of
local predicates. Garg and Waldecker (1994): hold one candidate segment per site, and drop a
candidate that ends too early for another's, since it is too early for all later ones as well.
When no candidate is too early they lie on one cut; when a site runs out there is none.
"""

from typing import no_type_check

import numpy as np
from numba import njit

from quire.spacetime.cuts.segments import window


@njit(cache=True)
@no_type_check
def all_at_most(starts, ends, values, low, high, delays, limit, at):
    """Whether compatible segments, one per site inside [low, high], all have values up to a limit.

    Parameters
    ----------
    starts, ends, values
        Of all segments.
    low, high
        First and last segment that may be read, per site.
    delays
        Light delays in ns.
    limit
        The greatest value allowed.
    at
        Room for one candidate per site; holds the found segments when the answer is yes.
    """
    sites = len(low)
    for a in range(sites):
        at[a] = low[a]
        while at[a] <= high[a] and values[at[a]] > limit:
            at[a] += 1
        if at[a] > high[a]:
            return False
    settled = False
    while not settled:
        settled = True
        for a in range(sites):
            for b in range(sites):
                if a == b:
                    continue
                while starts[at[b]] - delays[a, b] >= ends[at[a]]:
                    settled = False
                    at[a] += 1
                    while at[a] <= high[a] and values[at[a]] > limit:
                        at[a] += 1
                    if at[a] > high[a]:
                        return False
    return True


@njit(cache=True)
@no_type_check
def least_of_worst(starts, ends, values, low, high, delays, limit, at):
    """Return the least limit for which `all_at_most` holds: the least worst value of a cut.

    ``limit`` is where the search begins: the greatest of the windows' least values. ``at`` holds a
    segment of least value per site; when these are compatible, nothing is searched.
    """
    sites = len(low)
    fits = True
    for a in range(sites):
        for b in range(sites):
            if a != b and starts[at[b]] - delays[a, b] >= ends[at[a]]:
                fits = False
    if fits:
        return limit
    while not all_at_most(starts, ends, values, low, high, delays, limit, at):
        # The next value above: some cut passes the windows, so one is enough in the end.
        above = np.iinfo(np.int64).max
        for a in range(sites):
            for j in range(low[a], high[a] + 1):
                if limit < values[j] < above:
                    above = values[j]
        limit = above
    return limit


@njit(cache=True)
@no_type_check
def some_crossed(starts, ends, bids, asks, low, high, delays):
    """Whether some cut shows a bid above an ask.

    Two compatible segments suffice: their reading times extend to all other sites.
    """
    for a in range(len(low)):
        for j in range(low[a], high[a] + 1):
            if bids[j] > asks[j]:
                return True
            for b in range(len(low)):
                if a == b:
                    continue
                for k in range(low[b], high[b] + 1):
                    if (
                        bids[j] > asks[k]
                        and starts[k] - delays[a, b] < ends[j]
                        and starts[j] - delays[a, b] < ends[k]
                    ):
                        return True
    return False


@njit(cache=True)
@no_type_check
def windows(first, starts, ends, anchor, time, delays):
    """Return the first and last readable segment of every site, seen from the anchor at a time."""
    sites = len(first) - 1
    low = np.empty(sites, np.int64)
    high = np.empty(sites, np.int64)
    for site in range(sites):
        low[site], high[site] = window(
            first, starts, ends, site, anchor, time, delays[anchor, site]
        )
    return low, high
