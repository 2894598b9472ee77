import numpy as np
import pytest

from quire.provenance import exercises, fit_temperature
from quire.provenance.givens import overconfident_sample


class Odd:
    """Something that raises whatever it is asked."""

    def __array__(self, *_, **__):
        raise RuntimeError("no array")

    def __call__(self, *_):
        raise RuntimeError("no call")


SENSELESS = [None, float("nan"), float("inf"), True, "2", [], {}, np.zeros(3), object(), Odd()]


def first_difference(stored, computed):
    pairs = enumerate(zip(stored, computed, strict=False))
    return next((k for k, (a, b) in pairs if a != b), None)


def same_length_only(stored, computed):
    return first_difference(stored, computed) if len(stored) == len(computed) else 0


RIGHT = [
    (exercises.two_prompts, [[[0.3, 0.2], [0.3, 0.2]], np.full((2, 2), 0.25)]),
    (exercises.best_temperature, [fit_temperature(*overconfident_sample())]),
    (exercises.breaks_found, [first_difference]),
    (exercises.merged_chance, [61.1, np.float64(61.11), 550 / 9]),
]
WRONG = [
    (
        exercises.two_prompts,
        [
            np.zeros((2, 2)), [[0.5, 0.0], [0.5, 0.0]], [[0.5, 0], [0, 0.5]],
            [[0.3, 0.2], [0.2, 0.3]], [[0.6, 0.4], [0.6, 0.4]], [[0.2, 0.2], [0.3, 0.3]],
            [[-0.3, 0.8], [-0.3, 0.8]], [0.25] * 4,
        ],
    ),
    (exercises.best_temperature, [0, 0.5, 1, 1.8, 2.2, -2]),
    (
        exercises.breaks_found,
        [lambda s, c: None, lambda s, c: 0, same_length_only, lambda s: None,
         lambda s, c: first_difference(s, c) or (None if s == c else len(c)),
         lambda s, c: bool(first_difference(s, c))],
    ),
    (exercises.merged_chance, [0, 36.1, 0.611, 50, 61.4, 100]),
]  # fmt: skip


@pytest.mark.parametrize(("check", "answers"), RIGHT, ids=[c.__name__ for c, _ in RIGHT])
def test_right_answers_pass(check, answers):
    assert all(check(answer) for answer in answers)


@pytest.mark.parametrize(("check", "answers"), WRONG, ids=[c.__name__ for c, _ in WRONG])
def test_wrong_and_senseless_answers_do_not(check, answers):
    for answer in [*answers, *SENSELESS]:
        assert check(answer) is False
