"""Every check accepts the model solution and rejects wrong answers, whatever their kind."""

from typing import Any

import numpy as np
import pytest

from quire.circuits import exercises

HOSTILE = (None, float("nan"), "4", True, [], (1,), np.zeros(3), object(), 10**400)
RIGHT: dict[str, list[Any]] = {
    "rows_that_vary": [(3, 6), [3, 6], np.array([3, 6])],
    "solves_until_paid": [4, 4.0, np.int64(4)],
    "low_rank_limit": [0.8, np.float64(0.8)],
    "digits_lost": [
        ([[1e-12, 1.0], [1.0, 1.0]], [1.3, 2.7]),
        ([[1e-9, 1.0], [1.0, 1.0]], [1.3, 2.7]),
    ],
}
WRONG: dict[str, list[Any]] = {
    "rows_that_vary": [(4, 6), (3, 5), (2, 6), (3.0, 6.0), (6, 3), (3, 6, 0)],
    "solves_until_paid": [3, 5, 3.5, 4.5, True, 0, -4],
    "low_rank_limit": [1, 0.5, 0.75, 0.5 ** (1 / 3), 1.25, 4, 0.0, float("inf")],
    "digits_lost": [
        ([[1.0, 0.0], [0.0, 1.0]], [1.0, 2.0]),
        ([[0.0, 1.0], [1.0, 0.0]], [1.0, 2.0]),
        ([[1.0, 1.0], [1.0, 1.0]], [1.0, 2.0]),
        ([[np.nan, 1.0], [1.0, 1.0]], [1.0, 2.0]),
        ([[1e-3, 1.0], [1.0, 1.0]], [1.0, 2.0]),
        ([[1e-16, 1.0], [1.0, 1.0]], [1.3, 2.7]),
        ([[1.0, 1.0], [1.0, 1.0 + 1e-10]], [1.0, 1.0 + 3e-10]),
        (np.zeros((2, 2)), np.zeros(2)),
    ],
}


@pytest.mark.parametrize("name", RIGHT)
def test_the_model_solution_is_right(name: str) -> None:
    assert all(getattr(exercises, name)(answer) is True for answer in RIGHT[name])


@pytest.mark.parametrize("name", RIGHT)
def test_wrong_answers_are_wrong(name: str) -> None:
    for answer in (*WRONG[name], *HOSTILE):
        assert getattr(exercises, name)(answer) is False, repr(answer)[:60]
