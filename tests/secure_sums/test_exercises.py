from fractions import Fraction

import numpy as np
import pytest

from quire.secure_sums import exercises

REFUSED = [
    (("keys", 2), [0, -1]),
    (("wire", "heard_bytes"), [8, 8, 4]),
    (("bounds", 0, "equalities", 0, 1), "9"),
]
FOOLING = [[1, 1, 0], [1, -1, 0], [0, 0, 1], [-2, 0, -1]]
RING = [[1, 0], [0, 1], [1, 1], [1, 0], [0, 1], [1, 1]]
NOTHING = [None, float("nan"), "", "two", [], {}, object(), True, np.nan, [[]], lambda: 1]


@pytest.mark.parametrize(
    ("check", "right"),
    [
        (exercises.decoded_sum, [8, 9, 7]),
        (exercises.decoded_sum, np.array([8, 9, 7])),
        (exercises.shared_keys, [2, 1]),
        (exercises.ring_keys, RING),
        (exercises.fooling_keys, FOOLING),
        (exercises.three_refusals, REFUSED),
        (exercises.three_refusals, [*REFUSED[:2], ("leak", 1)]),  # one refusal of a form
        (exercises.block_rate, Fraction(4, 3)),
    ],
)
def test_the_model_solution_is_right(check, right) -> None:
    assert check(right) is True


@pytest.mark.parametrize(
    ("check", "wrong"),
    [
        (exercises.decoded_sum, [0, 0, 0]),
        (exercises.decoded_sum, [3, 0, 6]),  # the own pad forgotten
        (exercises.decoded_sum, [28, 19, 17]),  # with carries
        (exercises.decoded_sum, [8.0, 9.0, 7.0]),
        (exercises.decoded_sum, [[8, 9, 7]]),
        (exercises.decoded_sum, [8, 9]),
        (exercises.shared_keys, [0, 0]),
        (exercises.shared_keys, [3, 3]),  # the sum that is due counted as leaked
        (exercises.shared_keys, [2, 2]),  # the pool's own input counted as leaked
        (exercises.shared_keys, [1, 2]),
        (exercises.shared_keys, 2),
        (exercises.shared_keys, [2, 2, 2]),
        (exercises.ring_keys, np.zeros((6, 2), dtype=int)),
        (exercises.ring_keys, [[*row, 0] for row in RING]),  # a column that does nothing
        (exercises.ring_keys, [[*row, row[0]] for row in RING]),  # a column twice
        (exercises.ring_keys, [[1], [1], [0], [1], [1], [0]]),
        (exercises.ring_keys, np.eye(6, dtype=int)),
        (exercises.ring_keys, RING[:5]),
        (exercises.ring_keys, [[2, 0], *RING[1:]]),
        (exercises.fooling_keys, np.zeros((4, 3), dtype=int)),
        (exercises.fooling_keys, [[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, -1, -1]]),
        (exercises.fooling_keys, [[2, 0, 0], [0, 2, 0], [0, 0, 2], [-2, -2, -1]]),
        (exercises.fooling_keys, [[3, 0, 0], [0, 1, 0], [0, 0, 1], [-3, -1, -1]]),
        (exercises.fooling_keys, FOOLING[:3]),
        (exercises.three_refusals, [(("fields",), [3])] * 3),
        (exercises.three_refusals, [(("fields",), [3]), (("fields",), [5])]),
        (
            exercises.three_refusals,
            [(("fields",), [3]), (("leak",), 0), (("wire", "length"), 0)],
        ),
        (
            exercises.three_refusals,
            [(("nowhere",), 1), (("leak",), 1), (("wire", "length"), 0)],
        ),
        (
            exercises.three_refusals,
            [(("wire", "length"), 0), (("wire", "length"), -7), (("fields",), [])],
        ),
        # Of another type, or out of range.
        (exercises.three_refusals, [(("users",), None), *REFUSED[:2]]),
        (exercises.three_refusals, [(("users",), 0), *REFUSED[:2]]),
        (exercises.three_refusals, [(("keys",), []), *REFUSED[1:]]),
        (exercises.three_refusals, [(("wire", "length"), 1.5), *REFUSED[::2]]),
        (exercises.three_refusals, [(("bounds", 0, "bound"), "one"), *REFUSED[:2]]),
        # More than one refusal of a form.
        (exercises.three_refusals, [(("leak",), 1), (("colluders",), 1), REFUSED[0]]),
        (exercises.three_refusals, [(("users",), 0), (("leak",), 7), (("keys",), [])]),
        # Printed on the page.
        *((exercises.three_refusals, [printed, *REFUSED[:2]]) for printed in exercises.PRINTED),
        # Of a kind that is printed, with other numbers.
        (exercises.three_refusals, [(("keys",), [[2, 0], [2, 0], [-4, 0]]), *REFUSED[1:]]),
        (exercises.three_refusals, [(("bounds", 1, "bound"), "7"), *REFUSED[:2]]),
        (exercises.three_refusals, [(("wire", "payload_bytes", 2), 10), *REFUSED[::2]]),
        (exercises.three_refusals, [(("wire", "rounds"), 5), *REFUSED[::2]]),
        (exercises.three_refusals, [(("fields", -1), 5), *REFUSED[:2]]),  # changes nothing
        (exercises.block_rate, 0),
        (exercises.block_rate, Fraction(3, 2)),  # that of four users
        (exercises.block_rate, 2),
        (exercises.block_rate, 4 / 3),
        (exercises.block_rate, "4/3"),
    ],
)
def test_a_wrong_answer_is_wrong(check, wrong) -> None:
    assert check(wrong) is False


@pytest.mark.parametrize(
    "check",
    [
        exercises.decoded_sum,
        exercises.shared_keys,
        exercises.ring_keys,
        exercises.fooling_keys,
        exercises.three_refusals,
        exercises.block_rate,
    ],
)
@pytest.mark.parametrize("answer", NOTHING, ids=[repr(a)[:12] for a in NOTHING])
def test_what_is_no_answer_is_wrong_and_raises_nothing(check, answer) -> None:
    assert check(answer) is False
