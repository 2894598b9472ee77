"""Load a cached prefix, or compute it: what one request should do on an idle system.

Two ways to do less loading. A **shorter prefix**: load the first c - s tokens, then compute the
others. Or from **both ends** (Cake, arXiv 2410.03065): compute the first s tokens while the last
c - s are loaded; the two meet.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.checks import real_array
from quire.serving.loading.costs import LoadingCosts, Row


@dataclass(frozen=True)
class Choice:
    """What each request computes of its cached tokens, and when its first token comes.

    Attributes
    ----------
    recomputed
        Tokens s.
    first_token_s
        With them.
    loading_s, computing_s
        With s = 0, and without the cache.
    """

    recomputed: Row
    first_token_s: Row
    loading_s: Row
    computing_s: Row


def shorter_prefix(cached: Any, uncached: Any, costs: LoadingCosts) -> Choice:
    """Return the best prefix to load, one stage after another.

    The time is concave in s: a token of attention costs less, the more of the prefix is computed
    anew. So the best is all or nothing.

    Parameters
    ----------
    cached, uncached
        Tokens c, u of each request.
    costs
        Of the stages.
    """
    c, u = _tokens(cached, uncached)
    loading = costs.first_token_s(c, u)
    computing = costs.compute.prefill_s(np.zeros_like(c), c + u)
    every = computing < loading
    return Choice(np.where(every, c, 0.0), np.minimum(loading, computing), loading, computing)


def both_ends(cached: Any, uncached: Any, costs: LoadingCosts) -> Choice:
    """Return the best split where the front is computed while the back is loaded.

    Then max(load(c - s), front(s)) + back; the load falls and the front's time rises in s, so that
    the best whole number of tokens is next to where they meet, found by bisection.

    Parameters
    ----------
    cached, uncached
        Tokens c, u of each request.
    costs
        Of the stages.
    """
    c, u = _tokens(cached, uncached)
    rest = costs.compute.prefill_s(c, u)

    def front(s: Row) -> Row:
        return np.where(s > 0, costs.compute.prefill_s(np.zeros_like(s), s), 0.0)

    low, high = np.zeros_like(c), c.copy()
    while (high - low > 1).any():
        middle = np.floor((low + high) / 2)
        late = costs.load_s(c - middle) > front(middle)
        low, high = np.where(late, middle, low), np.where(late, high, middle)
    ends = np.stack([np.maximum(costs.load_s(c - s), front(s)) for s in (low, high)])
    best = ends.argmin(axis=0)
    return Choice(
        np.where(best == 0, low, high),
        ends.min(axis=0) + rest,
        costs.first_token_s(c, u),
        costs.compute.prefill_s(np.zeros_like(c), c + u),
    )


def break_even_bytes_per_s(costs: LoadingCosts, cached: Any, uncached: Any) -> Row:
    """Return the network's speed above which loading a whole prefix beats computing it.

    Infinite where the copy to the device alone takes longer than computing.
    """
    c, u = _tokens(cached, uncached)
    spare = (
        costs.compute.prefill_s(np.zeros_like(c), c + u)
        - costs.compute.prefill_s(c, u)
        - costs.copy_s(c)
        - costs.net_latency_s
    )
    with np.errstate(divide="ignore"):
        return np.where(spare > 0, c * costs.kv_bytes_per_token / np.maximum(spare, 1e-300), np.inf)


def _tokens(cached: Any, uncached: Any) -> tuple[Row, Row]:
    c = real_array("cached", np.atleast_1d(cached), 1, least=0.0)
    u = real_array("uncached", np.atleast_1d(uncached), 1, least=1.0)
    if c.size != u.size:
        raise ValueError(f"uncached = {u.size} numbers: must be as many as cached, {c.size}")
    for name, each in (("cached", c), ("uncached", u)):
        odd = (each != np.rint(each)) | (each >= 2.0**52)
        if odd.any():
            raise ValueError(f"{name} = {each[odd][0]:g}: must be whole, and below 2^52")
    return c, u
