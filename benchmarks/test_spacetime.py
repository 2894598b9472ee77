"""Seconds per quote of the best prices that one place can see, beside passes that ignore light."""

import numpy as np
import pytest

from quire.spacetime import NEW_JERSEY, light_cone_nbbo, stream
from quire.spacetime.quotes.streams import _best_pass, best_of, merged

EACH = 50_000
ITEMS = EACH * len(NEW_JERSEY)  # quotes
pytestmark = pytest.mark.benchmark(group="a quote in the best bid and offer of three places")


@pytest.fixture(scope="module")
def streams():
    """Three places whose quotes come at random moments and walk by a tick."""
    random = np.random.default_rng(3)
    made = []
    for _ in range(len(NEW_JERSEY)):
        times = np.cumsum(random.exponential(3e5, EACH)).astype(np.int64)
        bids = 10_000 + np.cumsum(random.integers(-1, 2, EACH)) % 7
        made.append(stream(times, bids, bids + random.integers(1, 4, EACH)))
    return made


def test_plain_pass_over_merged_quotes(timed, streams):
    _, number, bids, asks = merged(streams)
    _best_pass(number, bids, asks, len(streams))  # compile
    timed.extra_info["bound"] = True
    timed(lambda: _best_pass(number, bids, asks, len(streams)))


def test_plain_from_streams(timed, streams):
    best_of(streams)
    timed(lambda: best_of(streams))


def test_light_cone(timed, streams):
    delays = NEW_JERSEY.delays_ns()
    light_cone_nbbo(streams, delays, 0)
    timed(lambda: light_cone_nbbo(streams, delays, 0))
