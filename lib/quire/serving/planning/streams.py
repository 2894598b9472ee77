"""A stream of requests before any router: lengths, arrivals, and which may be compressed."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.checks import integer, positive, real_array, share
from quire.serving.planning.lengths import Lengths, split
from quire.serving.planning.slots import Requests, intervals
from quire.serving.workload.trace import Trace

COMPRESSION_S = 0.003
"""Seconds that compressing a prompt adds."""


@dataclass(frozen=True)
class Stream:
    """Requests as they reach the router.

    Attributes
    ----------
    requests
        Arrivals and lengths.
    safe
        Which may be compressed: prose, retrieved text and mixtures may, code may not.
    """

    requests: Requests
    safe: np.ndarray

    def __len__(self) -> int:
        return self.requests.arrival_s.size

    @property
    def total(self) -> np.ndarray:
        """Tokens of prompt and answer."""
        return self.requests.n_in + self.requests.n_out

    @property
    def rate(self) -> float:
        """Requests a second, from the first arrival to the last."""
        at = self.requests.arrival_s
        return float((at.size - 1) / (at[-1] - at[0]))

    def select(self, which: Any) -> "Stream":
        """Return some of them, by number or by a mask."""
        return Stream(self.requests.select(which), self.safe[which])


def stream(
    lengths: Lengths, rate: Any, count: Any, seed: Any, *, safe_share: Any = 0.75, cv2: Any = 1.0
) -> Stream:
    """Return random requests of a distribution of lengths.

    Parameters
    ----------
    lengths
        Of prompt and answer together, split 80 to 20.
    rate
        Requests a second.
    count
        How many.
    seed
        Of the random numbers.
    safe_share
        Share that may be compressed.
    cv2
        Of the times between arrivals: 1 for Poisson, more for bursts.
    """
    n, lam = integer("count", count, 2), positive("rate", rate)
    rng = np.random.default_rng([integer("seed", seed, 0), 80])
    values, p = lengths.weights()
    n_in, n_out = split(rng.choice(values, size=n, p=p))
    safe = rng.random(n) < share("safe_share", safe_share)
    return Stream(Requests(np.cumsum(intervals(n, lam, cv2, rng)), n_in, n_out), safe)


def resampled(
    trace: Trace, rate: Any, count: Any, seed: Any, *, safe_share: Any = 0.75, cv2: Any = 1.0
) -> Stream:
    """Return requests whose prompts and answers are drawn in pairs from a trace.

    Parameters
    ----------
    trace
        The pairs.
    rate, count, seed, safe_share, cv2
        As in `stream`.
    """
    n, lam = integer("count", count, 2), positive("rate", rate)
    rng = np.random.default_rng([integer("seed", seed, 0), 81])
    pick = rng.integers(0, len(trace), n)
    safe = rng.random(n) < share("safe_share", safe_share)
    gaps = intervals(n, lam, cv2, rng)
    return Stream(Requests(np.cumsum(gaps), trace.n_in[pick], trace.n_out[pick]), safe)


def replayed(trace: Trace, rate: Any, *, safe_share: Any = 0.75, seed: Any = 0) -> Stream:
    """Return a trace's own requests in its own rhythm, sped up to a rate.

    Raises
    ------
    ValueError
        When an argument is outside what is allowed.
    """
    at = (trace.arrival_ns - trace.arrival_ns[0]) / 1e9
    if len(trace) < 2 or at[-1] <= 0:
        raise ValueError("trace: must last longer than no time")
    own = (len(trace) - 1) / at[-1]
    rng = np.random.default_rng([integer("seed", seed, 0), 82])
    safe = rng.random(len(trace)) < share("safe_share", safe_share)
    return Stream(Requests(at * own / positive("rate", rate), trace.n_in, trace.n_out), safe)


@dataclass(frozen=True)
class Routed:
    """What a boundary makes of a stream.

    Attributes
    ----------
    short, long
        Which requests each pool serves, by number.
    n_in
        Prompts as the pools see them: shorter where they were compressed.
    compressed
        Which were.
    """

    short: np.ndarray
    long: np.ndarray
    n_in: np.ndarray
    compressed: np.ndarray

    def requests(self, whole: Stream, pool: str) -> Requests:
        """Return the requests of a pool, ``"short"`` or ``"long"``, in the order they reach it.

        Raises
        ------
        ValueError
            For another pool.
        """
        if pool not in ("short", "long"):
            raise ValueError(f"pool = {pool!r}: must be 'short' or 'long'")
        which = self.short if pool == "short" else self.long
        at = whole.requests.arrival_s[which] + COMPRESSION_S * self.compressed[which]
        order = np.argsort(at, kind="stable")
        return Requests(at[order], self.n_in[which][order], whole.requests.n_out[which][order])


def compress_and_route(
    whole: Stream, boundary: Any, gamma: Any = 1.0, *, estimate: Any = None
) -> Routed:
    """Send requests up to B to the short pool, and those up to gamma B after compression.

    A request that is compressed keeps its answer, and its prompt becomes B minus the answer; one
    whose answer alone fills the window goes to the long pool, as does all that is not safe.

    Parameters
    ----------
    whole
        The stream.
    boundary
        B, tokens.
    gamma
        1 or more.
    estimate
        Total tokens as the router believes them; the true ones if None. A request that was believed
        to fit and does not is no business of this function.

    Raises
    ------
    ValueError
        For a gamma below 1, or estimates that are not one a request.
    """
    b, stretch = integer("boundary", boundary), positive("gamma", gamma)
    if stretch < 1:
        raise ValueError(f"gamma = {stretch:g}: must be 1 or more")
    total = whole.total if estimate is None else real_array("estimate", estimate, 1, least=0.0)
    if total.size != len(whole):
        raise ValueError(f"estimate = {total.size} numbers: must be {len(whole)}")
    room = b - whole.requests.n_out
    squeezed = (total > b) & (total <= stretch * b) & whole.safe & (room > 0)
    squeezed &= room < whole.requests.n_in
    near = (total <= b) | squeezed
    n_in = np.where(squeezed, room, whole.requests.n_in)
    return Routed(np.flatnonzero(near), np.flatnonzero(~near), n_in, squeezed)
