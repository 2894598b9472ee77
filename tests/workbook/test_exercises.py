"""An answer is open, right, wrong, or not to be checked; it never stops the notebook."""

from typing import Any

import numpy as np
import pytest

from quire.workbook import check_answer


def is_three(answer: Any) -> bool:
    return type(answer) is int and answer == 3


def test_only_the_right_answer_is_right() -> None:
    assert check_answer(3, is_three)
    assert repr(check_answer(3, is_three)) == "Right."
    for wrong in (0, 4, 3.0, "3", [3], float("nan"), True):
        assert not check_answer(wrong, is_three)
        assert "Not right" in repr(check_answer(wrong, is_three))


def test_no_answer_is_asked_for_and_not_checked() -> None:
    checked = check_answer(None, lambda answer: True)
    assert not checked
    assert "No answer yet" in repr(checked)


@pytest.mark.parametrize("verdict", [1, "yes", np.ones(2), [True], None])
def test_what_is_no_flag_is_not_right(verdict: Any) -> None:
    assert not check_answer(3, lambda answer: verdict)


def test_a_flag_of_numpy_is_a_flag() -> None:
    assert check_answer(3, lambda answer: np.bool_(answer == 3))


def test_a_check_that_raises_is_told_in_one_line() -> None:
    checked = check_answer("<b>", lambda answer: int(answer) == 3)
    assert not checked
    assert "could not be checked (ValueError" in repr(checked)
    assert "\n" not in repr(checked)
    assert "<b>" not in checked._repr_html_()
