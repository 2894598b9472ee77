"""The checks of the chapter's exercises: each computes the right answer and compares.

Every check takes whatever a reader wrote and returns whether it is right. None, NaN, a wrong type
or a wrong value is False; nothing raises.
"""

from numbers import Integral
from typing import Any

import numpy as np

from quire.answers import is_near
from quire.spacetime.delays.auctions import least_batch_ns
from quire.spacetime.experiments.feeds import tiny_market
from quire.spacetime.frames.observers import unseen_states
from quire.spacetime.geometry.sites import CORRIDOR, NEW_JERSEY, NS_PER_KM


def reading_without_a_cut(answer: Any) -> bool:
    """Whether the answer is ((L01, L02, L12), t1): a reading in its window that no cut extends.

    Three positive whole light times, and a whole time t1 with abs(t1) < L01, such that no t2 has
    abs(t2) < L02 and abs(t2 - t1) < L12. The anchor is read at 0.
    """
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        return False
    delays, time = answer
    if isinstance(delays, np.ndarray):
        delays = delays.tolist()
    if not isinstance(delays, tuple | list) or len(delays) != 3:
        return False
    numbers = [*delays, time]
    if any(isinstance(n, bool) or not isinstance(n, Integral) for n in numbers):
        return False
    first, second, between = (int(n) for n in delays)
    t1 = int(time)
    if min(first, second, between) < 1 or abs(t1) >= first:
        return False
    # the open intervals (-L02, L02) and (t1 - L12, t1 + L12) have no point in common
    return max(-second, t1 - between) >= min(second, t1 + between)


def batch_with_chicago(answer: Any) -> bool:
    """Whether the answer is the shortest batch, ms, with an instant at which four sites agree."""
    return is_near(answer, least_batch_ns(CORRIDOR.delays_ns()) / 1e6, rel=2e-3)


def detour_over_secaucus(answer: Any) -> bool:
    """Whether the answer is the SIP's delay behind the direct feed, microseconds, without work.

    The SIP stands at Secaucus, the quote is made at Mahwah, the trader sits at Carteret.
    """
    light = NEW_JERSEY.distances_km * NS_PER_KM / 1e3
    mahwah, secaucus, carteret = range(3)
    right = light[mahwah, secaucus] + light[secaucus, carteret] - light[mahwah, carteret]
    return is_near(answer, float(right), rel=1e-2)


def slowest_dissenter(answer: Any) -> bool:
    """Whether the answer is the speed, km/s, of the slowest dissenting observer of the tiny market.

    Of the states after the first quotes whose NBBO the rest frame does not show meanwhile.
    """
    found = unseen_states(tiny_market(), NEW_JERSEY)
    late = (found.since > 0) & found.dissents
    return is_near(answer, float(found.speeds_km_s[late].min()), rel=1e-2)
