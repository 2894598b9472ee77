import numpy as np
import pytest

from quire.world_model import exercises

SENSELESS = [None, float("nan"), float("inf"), True, "12", [], {}, np.zeros(3), object(), 10**400]
RIGHT = [
    (exercises.power_of_symmetric_wires, [12, 12.0, np.float64(12)]),
    (exercises.rows_before_overflow, [512, 512.0]),
    (exercises.largest_wrong_sign, [22, np.int64(22)]),
    (
        exercises.schedule_without_evidence,
        [["answer", "act", "crash"], ("answer", "crash", "act"), ["answer", "crash", "act"]],
    ),
]
WRONG = [
    (exercises.power_of_symmetric_wires, [0, 6, -12, 13, 5]),
    (exercises.rows_before_overflow, [0, 511, 513, 1024, 256, 2**15]),
    (exercises.largest_wrong_sign, [0, 21, 23, 32, 0.22, 41]),
    (
        exercises.schedule_without_evidence,
        [
            ["act"],
            ["answer", "log", "act", "crash"],
            ["answer", "act", "log", "crash"],
            ["crash", "answer", "act"],
            ["act", "answer", "crash"],
            ["answer", "act"],
            ["answer", "act", "crash", "log"],
            ["answer", "act", "act", "crash"],
            "answer",
            ["answer", 1, "crash"],
            [["answer"], "act", "crash"],
            ["answer", "sleep", "act", "crash"],
        ],
    ),
]


@pytest.mark.parametrize(("check", "answers"), RIGHT, ids=range(4))
def test_right_answers(check, answers):
    assert all(check(a) for a in answers)


@pytest.mark.parametrize(("check", "answers"), WRONG, ids=range(4))
def test_wrong_answers(check, answers):
    assert not any(check(a) for a in answers + SENSELESS)
