import math

import numpy as np
import pytest

from quire.queueing import Costs, Farm, best_static, evaluate, floor_policy, free_cancel_model
from quire.queueing import exercises as ex

NONSENSE = [
    None,
    math.nan,
    math.inf,
    "6.5",
    True,
    0,
    0.0,
    -1.0,
    [],
    {},
    np.zeros(3),
    np.zeros((2, 2)),
    (1, 2),
    object(),
]
CHECKS = [
    ex.response_time_with_setup,
    ex.price_of_switching,
    ex.five_per_cent_setup_rate,
    ex.committed_band,
]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("answer", NONSENSE)
def test_nonsense_is_wrong_and_never_raises(check, answer):
    assert check(answer) is False


def test_response_time():
    left = (0.6 * 4 + 0.6**2 * 4**2 / 2) / (1 + 0.6 * 4)
    assert ex.response_time_with_setup((0.6 / 0.4 + left) / 0.6)
    assert ex.response_time_with_setup(5.088)
    # exponential setup; without setup; half a setup more; the decomposed part alone; E[n] for E[T]
    for wrong in (6.5, 2.5, 4.5, 2.588, 3.053):
        assert not ex.response_time_with_setup(wrong)


def test_price_of_switching():
    assert ex.price_of_switching((0.1, 0.2))
    assert ex.price_of_switching([np.float64(0.1), 0.2])
    # one price alone; the same for both; the other order; the example's; setup for nothing
    for wrong in (0.1, (0.1, 0.1), (0.2, 0.1), (0.25, 0.5), (0.1, 0.3), ("0.1", "0.2")):
        assert not ex.price_of_switching(wrong)


def test_five_per_cent_setup_rate():
    def advantage(rate):
        farm = Farm.at_load(0.5, rate, 5)
        chain = free_cancel_model(farm, Costs(), 120)
        floors = min(evaluate(chain, floor_policy(q)).cost for q in range(6))
        return best_static(farm, Costs())[1] / floors - 1

    low, high = 0.3, 10.0
    for _ in range(20):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if advantage(middle) > 0.05 else (middle, high)
    assert ex.five_per_cent_setup_rate(high)
    assert ex.five_per_cent_setup_rate(float(f"{high:.2g}"))
    # floor five per cent below; where it begins to win at all; fast setup; mean setup for its rate
    for wrong in (0.88, 0.394, 100.0, 1 / high):
        assert not ex.five_per_cent_setup_rate(wrong)


def test_committed_band():
    assert ex.committed_band((3, -3, 2))
    assert ex.committed_band([3, -3, 1])
    assert ex.committed_band((3, -2, 2))
    # bands printed for another farm; just too dear; on-off; the best floor; start above keep
    for wrong in ((4, -5, 1), (4, -8, 1), (3, -2, 1), (0, 0, 0), (4, 0, 0), (3, 2, 1)):
        assert not ex.committed_band(wrong)
    # a fraction; too many numbers; an array
    for wrong in ((3, -2.5, 1), (3, -3, 2, 0), np.zeros(3)):
        assert not ex.committed_band(wrong)
