"""How numbers are printed."""

import math

import pytest

from quire.workbook.numerals import printed


@pytest.mark.parametrize(
    ("number", "digits", "text"),
    [
        (34_412.0, 4, "34,410"),
        (1e7, 4, "10,000,000"),
        (200_000, 6, "200,000"),
        (1234.56, 6, "1,234.56"),
        (999.96, 4, "1,000"),
        (0.25, 4, "0.25"),
        (-0.0, 4, "0"),
        (-3e-8, 4, "-3e-08"),
        (1.0562e14, 4, "1.056e+14"),
        (-math.inf, 4, "-inf"),
    ],
)
def test_thousands_are_set_apart_and_powers_are_left_to_the_very_large_and_small(
    number: float, digits: int, text: str
) -> None:
    assert printed(number, digits) == text
