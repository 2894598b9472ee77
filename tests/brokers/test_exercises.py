import math

import numpy as np
import pytest

from quire.brokers import exercises
from quire.brokers.laws.fanout import which_percentiles

NOTHING = [None, math.nan, "35", [], {}, True, object()]


def to_name(value):
    return type(value).__name__ + (str(value) if isinstance(value, int | float | tuple) else "")


@pytest.mark.parametrize("wrong", [*NOTHING, 0, 40, 5, 20, -35, [35, 35]], ids=to_name)
def test_the_burst(wrong):
    assert exercises.latest_of_a_burst(35)
    assert not exercises.latest_of_a_burst(wrong)


def always(*_):
    return True


def never(*_):
    return False


def by_the_first(a, b, c):
    return a < 1


def by_the_first_ratio(a, b, c):
    return b / a > 1.95


def raises(*_):
    raise RuntimeError


def in_numbers(a, b, c):
    return 1 if c / b > 1.2 else 0


@pytest.mark.parametrize(
    "wrong",
    [*NOTHING, always, never, by_the_first, by_the_first_ratio, raises, in_numbers],
    ids=to_name,
)
def test_the_columns(wrong):
    assert exercises.tells_quartiles(lambda a, b, c: c / b > 1.2)
    assert exercises.tells_quartiles(lambda *abc: which_percentiles(*abc) == "p25, p50, p75")
    assert exercises.tells_quartiles(lambda a, b, c: np.bool_(c / b > 1.25))
    assert not exercises.tells_quartiles(wrong)


@pytest.mark.parametrize(
    "wrong",
    [*NOTHING, (0, 0), (10_000, 100_000), (100_000, 11_111), (100_000,), 100_000],
    ids=to_name,
)
def test_the_capacities(wrong):
    assert exercises.capacity_of_a_batching_server((100_000, 10_000))
    assert exercises.capacity_of_a_batching_server([1e5, np.float64(1e4)])
    assert not exercises.capacity_of_a_batching_server(wrong)


@pytest.mark.parametrize("wrong", [*NOTHING, 0, 300, 0.24, 299.7, 294], ids=to_name)
def test_the_tail(wrong):
    assert exercises.tail_of_a_stall(240)
    assert not exercises.tail_of_a_stall(wrong)
