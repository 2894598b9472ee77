import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.secure_sums.linear.fields import FiniteField, prime_power

FIELDS = (2, 3, 4, 5, 7, 8, 9, 16, 25, 27)


@pytest.mark.parametrize("q", [0, 1, 6, 10, 12, 100, 2**31 + 11])
def test_other_numbers_are_no_field(q: int) -> None:
    with pytest.raises(ValueError, match=f"q = {q}: (a prime power|must be an integer, from 2)"):
        FiniteField(q)


def test_prime_powers_are_taken_apart() -> None:
    assert [prime_power(q) for q in (2, 9, 64, 2_147_483_647)] == [
        (2, 1),
        (3, 2),
        (2, 6),
        (2_147_483_647, 1),
    ]


@pytest.mark.parametrize("q", FIELDS)
def test_every_element_but_zero_is_invertible(q: int) -> None:
    field = FiniteField(q)
    blocks = field.multipliers
    unit = np.eye(field.m, dtype=np.int64)
    for element in blocks[1:]:
        products = blocks[1:] @ element % field.p
        assert sum((product == unit).all() for product in products) == 1


@given(st.sampled_from(FIELDS), st.data())
@settings(max_examples=40)
def test_addition_is_that_of_the_matrices(q: int, data: st.DataObject) -> None:
    field = FiniteField(q)
    a, b = (np.array(data.draw(st.integers(0, q - 1))) for _ in "ab")
    total = field.multipliers[field.add(a, b)]
    assert (total == (field.multipliers[a] + field.multipliers[b]) % field.p).all()
    assert field.add(a, field.negative(a)) == 0


@pytest.mark.parametrize("q", [2.5, 2.0, True, "3", None])
def test_what_is_no_whole_number_is_no_field(q: object) -> None:
    with pytest.raises(ValueError, match="must be an integer, from 2"):
        prime_power.__wrapped__(q)


def test_entries_outside_the_field_are_refused() -> None:
    with pytest.raises(ValueError, match="outside F_4: elements 0 … 3"):
        FiniteField(4).over_prime(np.array([[4]]))
