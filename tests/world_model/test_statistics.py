"""Exact statistics: what was forgotten leaves no bit behind."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

from quire.world_model import (
    Learner,
    StatisticsOverflow,
    UnknownShard,
    WorldModelError,
    solve,
    statistics,
)

REFUSED = (ValueError, TypeCheckError)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4)) * [1, 1e3, 1e-3, 5]
Y = X @ [1.0, 0.1, 100.0, 0.2] + 0.1 * RNG.normal(size=200)


def shards(order):
    made = Learner()
    for k in order:
        made = made.learn(f"shard {k}", statistics(X[k::5], Y[k::5]))
    return made


@settings(max_examples=25)
@given(st.permutations(range(5)), st.sets(st.integers(0, 4), min_size=1, max_size=4))
def test_forgetting_is_never_having_seen(order, forgotten):
    made = shards(order)
    for k in forgotten:
        made = made.forget(f"shard {k}")
    kept = [k for k in range(5) if k not in forgotten]
    never = shards(kept)
    assert made.digest() == never.digest()
    assert solve(made.total).tobytes() == solve(never.total).tobytes()


def test_statistics_are_whole_number_sums():
    found = statistics(X, Y, shift=10)
    z = np.rint(X * 1024).astype(object)
    t = np.rint(Y * 1024).astype(object)
    assert np.array_equal(np.array(found.gram, dtype=object), z.T @ z)
    assert np.array_equal(np.array(found.moment, dtype=object), z.T @ t)
    assert found.square == t @ t


def test_large_entries_do_not_overflow():
    big = np.full((40_000, 1), 2.0**22)
    assert statistics(big, big[:, 0]).gram == ((40_000 * 2**92,),)
    with pytest.raises(StatisticsOverflow):
        statistics(big * 4, big[:, 0])


def test_the_solve_is_a_least_squares_fit():
    assert solve(statistics(X, Y)) == pytest.approx(np.linalg.lstsq(X, Y, rcond=None)[0], rel=1e-3)


@pytest.mark.parametrize(
    "call",
    [
        lambda: statistics(X, Y[:-1]),
        lambda: statistics(X * np.nan, Y),
        lambda: statistics(X, Y, shift=-1),
        lambda: statistics(X, Y, shift=2.0),
        lambda: statistics(X[:0], Y[:0]),
        lambda: solve(statistics(np.zeros((3, 2)), np.zeros(3))),
        lambda: solve(statistics(np.ones((3, 2)), np.ones(3))),
        lambda: solve(statistics(X, Y), ridge=-1.0),
        lambda: statistics(X, Y) + statistics(X[:, :2], Y),
        lambda: statistics(X, Y) + statistics(X, Y, shift=10),
        lambda: statistics(X[:5], Y[:5]) - statistics(X, Y),
        lambda: shards([0]).learn("shard 0", statistics(X, Y)),
    ],
    ids=range(12),
)
def test_bad_input_is_refused(call):
    with pytest.raises(REFUSED):
        call()


def test_an_unknown_shard_is_named():
    with pytest.raises(UnknownShard, match="shard 9"):
        shards([0]).forget("shard 9")
    assert issubclass(UnknownShard, WorldModelError)
