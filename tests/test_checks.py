"""The checks of arguments: what is let through, in which type, and what is refused by name."""

import numpy as np
import pytest

from quire.checks import instance, integers, whole_array


def test_a_list_of_integers_may_be_an_iterator_and_is_read_once() -> None:
    assert integers("ranks", (k for k in (1, 2, 4))) == [1, 2, 4]
    assert integers("ranks", np.array([3, 5], np.int8)) == [3, 5]


@pytest.mark.parametrize("wrong", [3, None, "12", [], [1.0], [True], [0], np.array([[1]])])
def test_what_is_no_list_of_integers_is_refused_by_name(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"^ranks"):
        integers("ranks", wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["int8", "uint8", "int32", "uint64"])
def test_small_integers_are_widened_before_arithmetic(kind: str) -> None:
    found = whole_array("places", np.array([100, 100], kind), 1)
    assert found.dtype == np.int64
    assert found.sum() == 200


def test_an_empty_list_holds_integers() -> None:
    assert whole_array("places", [], 1).dtype == np.int64


@pytest.mark.parametrize(
    "wrong",
    [[0.5], [np.nan], ["1"], [True], 3, [[1]], [-1], [8], np.array([2**64 - 1], np.uint64), None],
)
def test_what_is_no_array_of_integers_in_range_is_refused_by_name(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"^places"):
        whole_array("places", wrong, 1, least=0, most=7)


def test_an_object_of_another_class_is_refused_by_name() -> None:
    assert instance("word", "x", str) == "x"
    with pytest.raises(ValueError, match=r"^word = 3: must be a str$"):
        instance("word", 3, str)
    with pytest.raises(ValueError, match=r"^word = a list: must be a str$"):
        instance("word", list(range(100)), str)
