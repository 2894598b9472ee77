from typing import Any

import numpy as np
import pytest

from quire.self_healing import exercises

SENSELESS: list[Any] = [
    None,
    float("nan"),
    float("inf"),
    True,
    "0.5",
    [],
    {},
    np.zeros(3),
    object(),
    0,
    0.0,
]

RIGHT: list[tuple[Any, list[Any]]] = [
    (
        exercises.masks_of_hdfs,
        [
            [(r"blk_-?\d+", "blk_<*>"), (r"\d+\.\d+\.\d+\.\d+", "<*>"), (r"\b\d+\b", "<*>")],
            [[r"(?<=blk_)-?\d+", "<*>"], [r"(\d+\.){3}\d+", "<*>"], [r"(?<![\w.])\d+", "<*>"]],
        ],
    ),
    (exercises.pairs_of_an_incident, [(1.0, 8 / 38), [1, 0.2105], np.array([1.0, 0.211])]),
    (exercises.threshold_of_scores, [0.61, np.float64(0.61)]),
    (exercises.least_floor, [0.91, np.float64(0.91)]),
]

WRONG: list[tuple[Any, list[Any]]] = [
    (
        exercises.masks_of_hdfs,
        [
            [(r"\d+", "<*>")],  # leaves the sign and the dots
            [(r"blk_-?\d+", "<*>"), (r"(\d+\.){3}\d+", "<*>"), (r"\b\d+\b", "<*>")],
            [(r".*", "<*>")],
            [("(", "<*>")],
            [(r"blk_-?\d+", r"\9")],
            [("a", 3)],
        ],
    ),
    (
        exercises.pairs_of_an_incident,
        [(1.0, 0.25), (1.0, 0.0), (8 / 38, 1.0), (1.0,), (1.0, 9 / 39)],
    ),
    (exercises.threshold_of_scores, [0.5, 0.77, 0.8, 0.2, 1 - 0.61]),
    (exercises.least_floor, [0.9, 0.7, 0.71, 1.0, 0.92]),
]


@pytest.mark.parametrize(("check", "answers"), RIGHT, ids=lambda x: getattr(x, "__name__", ""))
def test_right(check: Any, answers: list[Any]) -> None:
    assert all(check(answer) for answer in answers)


@pytest.mark.parametrize(("check", "answers"), WRONG, ids=lambda x: getattr(x, "__name__", ""))
def test_wrong(check: Any, answers: list[Any]) -> None:
    assert not any(check(answer) for answer in [*answers, *SENSELESS])
