"""Checks of the chapter's exercises: each computes the right answer and tells only yes or no."""

from typing import Any

import numpy as np

from quire.answers import called, is_near
from quire.brokers.laws.capacity import Batching
from quire.brokers.laws.fanout import dispatch
from quire.brokers.laws.stalls import stall_percentile_s


def latest_of_a_burst(answer: Any) -> bool:
    """Return whether the answer is how late, in ms, the latest message of one wait is.

    A client with Nagle's algorithm on sends every 5 ms, and is acknowledged after 40 ms: the first
    message goes at once, the next one is due 5 ms later and goes with the acknowledgement.
    """
    return is_near(answer, 40.0 - 5.0, abs_=0.5)


def tells_quartiles(answer: Any) -> bool:
    """Return whether a function of three latencies tells quartiles from p50, p95, p99.

    It is tried on the percentiles of dispatches of several sizes and jitters, half of which begin
    late by a tenth of a round: then the first two columns have nearly the same ratio in both cases.
    """
    if not callable(answer):
        return False
    for k, (size, jitter) in enumerate(((200, 0.0), (1000, 1.0), (5000, 0.3), (40, 0.5))):
        step = 1e-5 * (1 + k)
        late = 0.1 * size * step if k % 2 else 0.0
        times = late + dispatch(size, step, rounds=30, jitter=jitter, seed=k)
        for shares, expected in (((0.25, 0.5, 0.75), True), ((0.5, 0.95, 0.99), False)):
            columns = (float(1e3 * x) for x in np.quantile(times, shares))
            told = called(answer, *columns)
            if not isinstance(told, bool | np.bool_) or bool(told) is not expected:
                return False
    return True


def capacity_of_a_batching_server(answer: Any) -> bool:
    """Return whether a pair is (the capacity, that of single messages) for A = 90, B = 10 us."""
    try:
        true, single = answer
    except (TypeError, ValueError):
        return False
    law = Batching(90e-6, 10e-6)
    alone = 1 / (law.per_batch_s + law.per_message_s)
    return is_near(true, law.capacity_per_s(), rel=0.01) and is_near(single, alone, rel=0.01)


def tail_of_a_stall(answer: Any) -> bool:
    """Return whether the answer is the p99.9, in ms, of one stall of 300 ms in 60 s."""
    return is_near(answer, 1e3 * stall_percentile_s(0.999, 0.3, 60.0), abs_=1.0)
