"""What no scheduler can beat, even one that knows the future: bounds by relaxation.

**On time.** Request i needs p(k, i) seconds of stage k, not before its arrival and the stages
before, not after its deadline less the stages behind. Between any two moments a and b a stage works
b - a seconds at most. So the number of requests on time is at most the value of::

    max sum x_i,  0 <= x_i <= 1,  sum of p(k, i) x_i over windows inside [a, b]  <=  b - a

for all k, a, b. Intervals are added as they are violated; any set of them gives a valid bound, and
the value returned is that of the dual solution, computed anew from its multipliers.

**Mean time.** Each stage alone, with preemption, is served best by the shortest remaining first.
"""

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from quire.checks import integer
from quire.serving.loading.costs import LoadingCosts, Row
from quire.serving.loading.requests import Requests

_ROUNDING = 1e-11
"""Share of a time by which sums of times may be rounded."""


@dataclass(frozen=True)
class OnTimeBound:
    """An upper bound on the requests that can be on time, with its certificate.

    Attributes
    ----------
    requests
        At most so many: the dual value, rounded down.
    value
        The dual value itself.
    intervals
        Rows (stage, a, b, multiplier) of the certificate.
    rounds
        Programs that were solved.
    """

    requests: int
    value: float
    intervals: Float[np.ndarray, "intervals 4"]
    rounds: int


def windows(requests: Requests, costs: LoadingCosts) -> tuple[Float[np.ndarray, "3 requests"], ...]:
    """Return for each stage its seconds, the earliest start and the latest end of each request.

    Stages follow one another: with cut-through a stage may start earlier.
    """
    service = requests.stage_s(costs)
    before = np.cumsum(service, axis=0) - service
    behind = service.sum(axis=0) - before - service
    return service, requests.arrival_s + before, requests.deadline_s - behind


def _wide(requests: Requests, costs: LoadingCosts) -> tuple[np.ndarray, ...]:
    """Return `windows`, wider by what sums of times are rounded by, and whether each can be met.

    A request that is due just when it can be ready would else fall out of the bound.
    """
    service, early, late = windows(requests, costs)
    slack = _ROUNDING * np.where(np.isfinite(late), np.abs(late), early + service)
    early, late = early - slack, late + slack
    return service, early, late, (late - early >= service).all(axis=0)


def on_time_bound(requests: Requests, costs: LoadingCosts, *, rounds: int = 12) -> OnTimeBound:
    """Return how many requests can be on time at most.

    For engines that load every cached token and serve each stage by one server, one request at a
    time, a request's stages one after another; preemption is allowed anywhere. An engine that
    computes cached tokens anew, cuts through, or batches prompts can do more.

    Parameters
    ----------
    requests
        With deadlines.
    costs
        Of the stages.
    rounds
        Programs at most; each adds the most violated intervals.

    Raises
    ------
    ValueError
        When a request has no deadline.
    """
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, vstack

    if not np.isfinite(requests.deadline_s).all():
        raise ValueError("deadline_s: must be finite for a bound on requests on time")
    service, early, late, able = _wide(requests, costs)
    n = len(requests)
    upper = np.where(able, 1.0, 0.0)
    x = upper.copy()
    rows: list[csr_array] = []
    limits: list[float] = []
    chosen: list[tuple[int, float, float]] = []
    known: set[tuple[int, float, float]] = set()
    multipliers = np.zeros(0)
    solved = 0
    for _ in range(integer("rounds", rounds)):
        found = [
            each
            for k in range(3)
            for each in _violated(k, service[k], early[k], late[k], x)
            if each not in known
        ]
        if not found:
            break
        for k, a, b in found:
            inside = np.flatnonzero((early[k] >= a) & (late[k] <= b) & able)
            rows.append(
                csr_array((service[k, inside], (np.zeros(inside.size, int), inside)), shape=(1, n))
            )
            limits.append(b - a)
            chosen.append((k, a, b))
            known.add((k, a, b))
        answer = linprog(
            -np.ones(n), A_ub=vstack(rows), b_ub=limits,
            bounds=np.stack([np.zeros(n), upper], axis=1), method="highs",
        )  # fmt: skip
        solved += 1
        if answer.x is None:
            break
        x = answer.x
        multipliers = np.maximum(-answer.ineqlin.marginals, 0.0)
    used = multipliers > 0
    proof = np.array(
        [(*each, y) for each, y in zip(chosen, multipliers, strict=False) if y > 0]
    ).reshape(int(used.sum()), 4)
    value = certified_value(requests, costs, proof)
    return OnTimeBound(int(np.floor(value + 1e-6)), value, proof, solved)


def certified_value(requests: Requests, costs: LoadingCosts, intervals: Any) -> float:
    """Return the bound that multipliers of intervals prove: the value of the dual.

    ``sum y (b - a) + sum over requests of max(0, 1 - sum of y p over intervals around it)``.

    Raises
    ------
    ValueError
        When a multiplier is negative, a stage is none, or an interval ends before it begins.
    """
    rows = np.asarray(intervals)
    if rows.ndim != 2 or rows.shape[1] != 4 or rows.dtype.kind not in "iuf":
        raise ValueError(f"intervals = an array of shape {rows.shape}: must hold rows of 4 numbers")
    service, early, late, able = _wide(requests, costs)
    price = np.zeros(len(requests))
    total = 0.0
    for k, a, b, y in rows:
        if not (k in (0, 1, 2) and np.isfinite([a, b, y]).all() and y >= 0 and b >= a):
            raise ValueError(f"intervals: ({a:g}, {b:g}) with multiplier {y:g} proves nothing")
        inside = (early[int(k)] >= a) & (late[int(k)] <= b)
        price += np.where(inside, y * service[int(k)], 0.0)
        total += y * (b - a)
    return total + float(np.maximum(0.0, 1 - price)[able].sum())


def mean_ttft_bound(requests: Requests, costs: LoadingCosts) -> float:
    """Return the least mean time to the first token, in seconds.

    For the engines of `on_time_bound`. For each stage: the mean time from the earliest start to the
    end when the shortest remaining is served first, plus the other stages; the largest of the
    three.
    """
    service, early, _ = windows(requests, costs)
    rest = service.sum(axis=0)
    flows = [
        float(np.mean(shortest_remaining(early[k], service[k]) - early[k] + rest - service[k]))
        for k in range(3)
    ]
    return max(flows)


def shortest_remaining(release: Row, service: Row) -> Row:
    """Return when each ends on one server that always serves the shortest remaining."""
    order = np.argsort(release, kind="stable")
    ends = np.zeros(release.size)
    waiting: list[tuple[float, int]] = []
    now, place = 0.0, 0
    while place < order.size or waiting:
        if not waiting:
            now = max(now, float(release[order[place]]))
        while place < order.size and release[order[place]] <= now:
            heapq.heappush(waiting, (float(service[order[place]]), int(order[place])))
            place += 1
        left, i = heapq.heappop(waiting)
        coming = float(release[order[place]]) if place < order.size else np.inf
        if now + left <= coming:
            now += left
            ends[i] = now
        else:
            heapq.heappush(waiting, (left - (coming - now), i))
            now = coming
    return ends


def _violated(k: int, p: Row, early: Row, late: Row, x: Row) -> list[tuple[int, float, float]]:
    """Return for each start the interval that is violated most, the worst ones of all starts."""
    order = np.argsort(late, kind="stable")
    early_s, late_s, load = early[order], late[order], (p * x)[order]
    starts = np.unique(early)
    found = []
    for a in starts:
        work = np.cumsum(np.where(early_s >= a, load, 0.0))
        excess = work - (late_s - a)
        excess[(early_s < a) | (late_s <= a)] = -np.inf
        at = int(excess.argmax())
        if excess[at] > 1e-7:
            found.append((float(excess[at]), a, float(late_s[at])))
    found.sort(reverse=True)
    return [(k, float(a), b) for _, a, b in found[:150]]
