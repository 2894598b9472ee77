import jax.numpy as jnp
import numpy as np
import pytest

from quire.sketching import exercises

SENSELESS = [None, float("nan"), float("inf"), True, "64", [], {}, np.zeros(3), object(), 10**400]


def cost(n1, n2, r, p1, p2, p3):
    """The model solution: all-gather of A along k, reduce-scatter of B along j."""
    return (1 - 1 / p3) * n1 * n2 / (p1 * p2) + (1 - 1 / p2) * n1 * r / (p1 * p3)


RIGHT = [
    (exercises.last_of_case_two, [64, 64.0, np.int64(64), jnp.array(64), np.array([64])]),
    (exercises.cost_of_a_grid, [cost]),
    (exercises.grid_of_fewest_words, [(2, 4, 2), (2, 8, 1), [2, 4, 2], np.array([2, 4, 2])]),
    (exercises.first_power_for_redistribution, [32, 32.0]),
    (exercises.first_power_for_splitting, [8, 8.0]),
]


def without_own_share(n1, n2, r, p1, p2, p3):
    return n1 * n2 / (p1 * p2) + n1 * r / (p1 * p3)


def sides_swapped(n1, n2, r, p1, p2, p3):
    return cost(n1, n2, r, p1, p3, p2)


def all_reduce(n1, n2, r, p1, p2, p3):
    return (1 - 1 / p3) * n1 * n2 / (p1 * p2) + 2 * (1 - 1 / p2) * n1 * r / (p1 * p3)


def failing(*_):
    raise ArithmeticError


WRONG = [
    (exercises.last_of_case_two, [0, 65, 63, 16, 1024, -64]),
    (
        exercises.cost_of_a_grid,
        [0, failing, lambda *_: 0.0, lambda *_: None, without_own_share, sides_swapped, all_reduce],
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
            16,
        ],
    ),
    (exercises.first_power_for_redistribution, [0, 25, 16, 64, -32]),
    (exercises.first_power_for_splitting, [0, 6, 4, 16, 2]),
]


@pytest.mark.parametrize(("check", "answers"), RIGHT)
def test_the_model_solution_is_right(check, answers):
    assert [answer for answer in answers if check(answer) is not True] == []


@pytest.mark.parametrize(("check", "answers"), WRONG)
def test_wrong_answers_are_wrong(check, answers):
    assert [answer for answer in (*answers, *SENSELESS) if check(answer) is not False] == []
