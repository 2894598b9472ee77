from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest

from quire.sketching import exercises

SENSELESS = [None, float("nan"), float("inf"), True, "64", [], {}, np.zeros(3), object(), 10**400]


def cost(n1, n2, r, p1, p2, p3):
    """The model solution: all-gather of A along k, all-reduce of B along j."""
    return (1 - 1 / p3) * n1 * n2 / (p1 * p2) + 2 * (1 - 1 / p2) * n1 * r / (p1 * p3)


RIGHT = [
    (
        exercises.last_of_case_two,
        [64, 64.0, np.int64(64), jnp.array(64), np.array([64]), Fraction(64)],
    ),
    (exercises.cost_with_all_reduce, [cost]),
    (exercises.grid_of_fewest_words, [(2, 4, 2), (2, 8, 1), [2, 4, 2], np.array([2, 4, 2])]),
    (exercises.first_power_for_four_parts, [32, 32.0]),
]


def without_own_share(n1, n2, r, p1, p2, p3):
    return n1 * n2 / (p1 * p2) + n1 * r / (p1 * p3)


def sides_swapped(n1, n2, r, p1, p2, p3):
    return cost(n1, n2, r, p1, p3, p2)


def reduce_scatter(n1, n2, r, p1, p2, p3):
    return (1 - 1 / p3) * n1 * n2 / (p1 * p2) + (1 - 1 / p2) * n1 * r / (p1 * p3)


def floor_division(n1, n2, r, p1, p2, p3):
    return (1 - 1 / p3) * (n1 * n2 // (p1 * p2)) + 2 * (1 - 1 / p2) * (n1 * r // (p1 * p3))


def failing(*_):
    raise ArithmeticError


WRONG = [
    (exercises.last_of_case_two, [0, 65, 63, 16, 1024, -64]),
    (
        exercises.cost_with_all_reduce,
        [
            0,
            failing,
            lambda *_: 0.0,
            lambda *_: None,
            without_own_share,
            sides_swapped,
            reduce_scatter,
            floor_division,
        ],
    ),
    (
        exercises.grid_of_fewest_words,
        [
            (0, 0, 0),
            (16, 1, 1),
            (2, 2, 4),
            (1, 8, 2),
            (2, 1, 8),
            (1, 4, 4),
            (2, 4),
            (2, 4, 2.5),
            {2: 0, 4: 0, 8: 1},
            (2, 8, True),
            "242",
            16,
        ],
    ),
    (exercises.first_power_for_four_parts, [0, 8, 24, 16, 64]),
]


@pytest.mark.parametrize(("check", "answers"), RIGHT)
def test_the_model_solution_is_right(check, answers):
    assert [answer for answer in answers if check(answer) is not True] == []


@pytest.mark.parametrize(("check", "answers"), WRONG)
def test_wrong_answers_are_wrong(check, answers):
    assert [answer for answer in (*answers, *SENSELESS) if check(answer) is not False] == []
