"""Coarse clocks: what quotes stamped to the millisecond may have been.

A stamp tells the tick of a clock, not the moment. Within a tick the order of one venue's quotes is
known (the order of the file), the order of different venues' is not.
"""

from typing import Any, Literal

import numpy as np
from jaxtyping import Int

from quire.checks import integer
from quire.signatures import checked

StampModel = Literal["uniform", "even", "simultaneous"]
MILLISECOND = 1_000_000


@checked
def moments_within_stamps(
    stamps: Any, venues: Any, model: StampModel | str, seed: Any = 0, step: Any = MILLISECOND
) -> Int[np.ndarray, " quotes"]:
    """Return a moment, in whole ns, for every coarse stamp.

    Parameters
    ----------
    stamps
        Whole ns, multiples of ``step``, not decreasing.
    venues
        A number per quote.
    model
        ``uniform``: random moments within the step, those of one venue sorted. ``even``: the quotes
        of a step spread evenly over it, in the order given. ``simultaneous``: all at the stamp.
    seed
        Of the random moments.
    step
        Resolution of the clock, ns.

    Raises
    ------
    ValueError
        For another model, stamps that are no multiples or decrease, or different lengths.
    """
    size = integer("step", step, 1, 10**15)
    when, venue = np.asarray(stamps), np.asarray(venues)
    if when.dtype.kind not in "iu" or when.ndim != 1 or not len(when):
        raise ValueError("stamps: must be a list of whole ns, not empty")
    if venue.shape != when.shape or venue.dtype.kind not in "iu":
        raise ValueError("venues: must be one whole number per stamp")
    when = when.astype(np.int64)
    if (when % size).any() or (np.diff(when) < 0).any() or when[0] < 0:
        raise ValueError(f"stamps: must be multiples of step = {size}, and not decrease")
    if model == "simultaneous":
        return when.copy()
    fresh = np.append(True, np.diff(when) > 0)
    group = np.cumsum(fresh) - 1
    if model == "even":
        begins = np.flatnonzero(fresh)
        counts = np.diff(np.append(begins, len(when)))
        rank = np.arange(len(when)) - begins[group]
        return when + (rank * size) // counts[group]
    if model != "uniform":
        raise ValueError(f"model = {model!r}: must be 'uniform', 'even' or 'simultaneous'")
    random = np.random.default_rng(integer("seed", seed, 0))
    draws = random.integers(0, size, len(when))
    # sort the draws inside each (step, venue), and hand them out in the order of the file
    by_venue = np.lexsort((np.arange(len(when)), venue, group))
    by_draw = np.lexsort((draws, venue, group))
    moments = np.empty_like(when)
    moments[by_venue] = when[by_venue] + draws[by_draw]
    return moments
