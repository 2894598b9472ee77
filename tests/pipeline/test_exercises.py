"""The checks of the exercises take the model solution and reject what is wrong."""

import numpy as np
import pytest

from quire.pipeline import (
    Hardware,
    bubble_fraction,
    exercises,
    interleaved,
    model_named,
    staged_program,
    swap_search,
)
from quire.pipeline.experiments import dynamicity

WRONG = [None, float("nan"), "0.2", 0.0, [], True, np.zeros(3), lambda steps: None]


def bubble(slow):
    forward = np.ones((8, 8))
    forward[0] = slow
    return bubble_fraction(interleaved(staged_program(forward, 2 * forward, 0 * forward, 4)))


def best(half, ranks=8):
    model, kernels = model_named("vlm_m"), Hardware(half_tokens=half)
    return min(
        dynamicity.PIECES, key=lambda n: dynamicity.step_with_pieces(model, kernels, ranks, n)
    )


def test_the_slow_microbatch():
    assert exercises.slow_microbatch(bubble(2))
    assert exercises.slow_microbatch(round(bubble(2), 3))
    # the formula for equal microbatches, a third slow, one forward slow only
    # and a third digit that is wrong
    for wrong in (3 / 19, bubble(3), 0.25, -bubble(2), 100 * bubble(2), 0.240, 0.238):
        assert not exercises.slow_microbatch(wrong)


def test_the_best_pieces():
    slow, fast = best(2048.0), best(0.0)
    assert exercises.best_pieces((slow, fast))
    assert exercises.best_pieces([slow, float(fast)])
    # the other order, four ranks as on the page's chart, the chart's slowest kernels
    charted = ((fast, slow), (best(2048.0, 4), best(0.0, 4)), (best(4096.0), fast))
    for wrong in (*charted, (1, 1), (2, 2), (slow, 32), (slow,), (slow, fast, 4), slow):
        assert not exercises.best_pieces(wrong)


def test_the_best_pieces_have_an_order():
    slow, fast = best(2048.0), best(0.0)
    numbers = {slow: "slow", fast: "perfect"}
    for wrong in ({slow, fast}, numbers, iter((slow, fast)), np.array([slow, fast])):
        assert not exercises.best_pieces(wrong)


def test_a_better_ranking():
    assert exercises.better_ranking(
        lambda steps: swap_search(steps.scheduler, evaluations=600).ranking
    )
    rng = np.random.default_rng(0)
    for wrong in (
        lambda steps: steps.fifo(),
        lambda steps: np.argsort(-steps.work, kind="stable"),
        lambda steps: np.argsort(steps.work, kind="stable"),
        lambda steps: rng.permutation(len(steps.groups)),
        lambda steps: np.zeros(len(steps.groups), dtype=int),
        lambda steps: steps.fifo()[:-1],
        lambda steps: 1 / 0,
        swap_search,
    ):
        assert not exercises.better_ranking(wrong)


def test_random_rankings_do_not_pass():
    rng = np.random.default_rng(1)
    passed = sum(
        exercises.better_ranking(lambda steps: rng.permutation(len(steps.groups)))
        for _ in range(60)
    )
    assert passed == 0


@pytest.mark.parametrize("wrong", WRONG, ids=[repr(w)[:20] for w in WRONG])
def test_what_is_no_answer_is_wrong(wrong):
    for check in (exercises.slow_microbatch, exercises.best_pieces, exercises.better_ranking):
        assert check(wrong) is False
