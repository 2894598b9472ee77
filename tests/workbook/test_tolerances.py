"""Numbers may lie near each other; words, counts and the form of data may not differ."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.workbook.cards import Tolerance
from quire.workbook.tolerances import DEFAULT, data_differences, near, text_difference

LOOSE = Tolerance(rel=0.02)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("0.420 of all", "0.421 of all"),
        ("a   0.99\nb  10.00", "a  0.99\nb 10.00"),
        ("-------\nx", "-----\nx"),
        ("error 2.2e-16", "error 4.4e-16"),
        ("error 2.2e-16", "error 0.0"),
        ("about 1,234.5 words", "about 1,234.6 words"),
        ("from 1.50 to -1.50", "from 1.51 to -1.49"),
        ("0.12345678", "0.12345679"),
        ("1.000", "0.999"),
        ("1.02e+05 s", "1.03e+05 s"),
        ("1.0", "1"),
    ],
)
def test_what_another_processor_may_print(a: str, b: str) -> None:
    assert text_difference(a, b, DEFAULT) is None
    assert text_difference(b, a, DEFAULT) is None


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("0.420 of all", "0.422 of all"),
        ("0.420 of all", "0.421 of some"),
        ("0.420", "-0.420"),
        ("3 items", "4 items"),
        ("12,345 words", "12,346 words"),
        ("0.4", "0.5"),
        ("1.2e-3", "1.2e-4"),
        ("claim 15.2-few", "claim 15.3-few"),
        ("version 1.2.3", "version 1.2.4"),
        ("r500", "r501"),
        ("one", "one two"),
        ("1.50 2.50", "1.50"),
        ("nan", "1.00"),
    ],
)
def test_what_is_a_difference(a: str, b: str) -> None:
    told = text_difference(a, b, DEFAULT)
    assert told
    assert "became" in told


def test_a_declared_tolerance_holds_for_counts_as_well() -> None:
    assert text_difference("100 steps, 0.4", "101 steps, 0.404", LOOSE, declared=True) is None
    assert text_difference("100 steps", "101 steps", LOOSE, declared=False)
    assert text_difference("100 steps", "103 steps", LOOSE, declared=True)


@pytest.mark.parametrize(
    ("a", "b", "at"),
    [
        ({"x": [1.0, 2.0]}, {"x": [1.0, 2.1]}, ".x[1]: 2.0 became 2.1"),
        ({"x": 1}, {"x": 2}, ".x: 1 became 2"),
        ({"x": 1}, {"y": 1}, "keys ['x', 'y']"),
        ([1, 2], [1, 2, 3], "2 items became 3"),
        ({"x": True}, {"x": 1}, ".x: True became 1"),
        ({"x": None}, {"x": 0.0}, ".x: None became 0.0"),
        ({"x": "a"}, {"x": "b"}, ".x: 'a' became 'b'"),
        ([math.nan], [1.0], "[0]: nan became 1.0"),
    ],
)
def test_data_differences_are_told_with_their_place(a: Any, b: Any, at: str) -> None:
    told = list(data_differences(a, b, DEFAULT))
    assert len(told) == 1
    assert at in told[0]


def test_data_that_is_near_does_not_differ() -> None:
    a = {"x": [1.0, 2, math.nan, "0.420"], "y": None}
    assert list(data_differences(a, a, DEFAULT)) == []
    b = {"y": None, "x": [1.0000001, 2, math.nan, "0.421"]}
    assert list(data_differences(a, b, DEFAULT)) == []


@given(st.floats(allow_nan=True), st.floats(allow_nan=True))
def test_nearness_is_symmetric_and_reflexive(a: float, b: float) -> None:
    assert near(a, a, DEFAULT)
    assert near(a, b, LOOSE) == near(b, a, LOOSE)


@given(st.text(alphabet="ab 0123456789.,-e+%"), st.text(alphabet="ab 0123456789.,-e+%"))
def test_a_text_is_like_itself_and_the_comparison_is_symmetric(a: str, b: str) -> None:
    assert text_difference(a, a, DEFAULT) is None
    assert (text_difference(a, b, DEFAULT) is None) == (text_difference(b, a, DEFAULT) is None)
