from fractions import Fraction

import numpy as np
import pytest

from quire.spacetime import exercises


class Odd:
    """Something whose size can not be asked for."""

    item = 15.4

    @property
    def size(self) -> int:
        raise RuntimeError("no size")


SENSELESS = [None, float("nan"), float("inf"), True, "7.93", [], {}, np.zeros(3), object(), 10**400]
SENSELESS += [complex(15.4), [15.4], Odd()]

RIGHT = [
    (
        exercises.reading_without_a_cut,
        [
            ((100, 1, 1), 50),
            [[100, 1, 1], -50],
            (np.array([100, 1, 1]), np.int64(2)),
            ((9, 2, 3), 5),
        ],
    ),
    (exercises.batch_with_chicago, [7.93, 7.946, np.float64(7.935), Fraction(7935, 1000)]),
    (exercises.detour_over_secaucus, [15.4, 15.39, np.array([15.4])]),
    (exercises.slowest_dissenter, [139_000, 138_924.0, 299_792.458 * 40 / 86.3187]),
]

WRONG = [
    (
        exercises.reading_without_a_cut,
        [
            ((0, 0, 0), 0),
            ((100, 60, 60), 50),  # a metric
            ((100, 1, 1), 100),  # outside the window
            ((9, 2, 3), 4),  # the open intervals still meet
            ((100, 200, 1), 50),  # no metric, but another side is too long
            ((100, 1, 200), 50),
            ((100, 1, 1), 1),
            ((100, 1, 1), 50.0),
            ((100, 1), 50),
            ((-100, 1, 1), 50),
            ((100, 1, True), 50),
            (100, 1, 1, 50),
            "100",
        ],
    ),
    (exercises.batch_with_chicago, [0, 0.37, 3.97, 7.865, 7.88, 7.9, 8, -7.93, 7_935]),
    (exercises.detour_over_secaucus, [0, 22.6, 184.8, 200.2, 212.3, 369.5, 15.0, -15.4, 0.0154]),
    (exercises.slowest_dissenter, [0, 146_032, 158_003, 142_000, -138_924, 0.463, 299_792.458]),
]


@pytest.mark.parametrize(("check", "answers"), RIGHT)
def test_the_model_solution_is_right(check, answers) -> None:
    assert [answer for answer in answers if check(answer) is not True] == []


@pytest.mark.parametrize(("check", "answers"), WRONG)
def test_wrong_answers_are_wrong(check, answers) -> None:
    assert [answer for answer in (*answers, *SENSELESS) if check(answer) is not False] == []
