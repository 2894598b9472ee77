"""Finite fields F_q, q a prime power, as matrices over their prime field.

An element of F_{p^m} is an integer 0 … q-1 whose base-p digits are the coefficients of a polynomial
in a root of a fixed irreducible polynomial. Ranks over F_q are ranks over F_p of the matrix in
which every element is replaced by the m x m matrix of multiplication by it, divided by m; so one
elimination over F_p serves every field.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product

import numpy as np
from jaxtyping import Int, Integer

from quire.checks import integer
from quire.secure_sums.checks import whole_numbers

LARGEST = 2**31 - 1
"""The largest field size: products of two elements must fit 64 bits."""


def prime_power(q: int) -> tuple[int, int]:
    """Return ``(p, m)`` with ``q == p**m`` and p prime.

    Raises
    ------
    ValueError
        When q is no whole number, no prime power, or 2**31 or more.
    """
    return _prime_power(integer("q", q, 2, LARGEST))


def prime(q: int) -> int:
    """Return q when it is a prime below 2**31.

    Raises
    ------
    ValueError
        When it is not.
    """
    if prime_power(q)[1] != 1:
        raise ValueError(f"q = {q}: a prime is needed, such as 2, 3, 5, 7")
    return int(q)


@lru_cache(maxsize=64)
def _prime_power(q: int) -> tuple[int, int]:
    p = next((d for d in range(2, int(q**0.5) + 1) if q % d == 0), q)
    m, power = 1, p
    while power < q:
        power, m = power * p, m + 1
    if power != q:
        raise ValueError(f"q = {q}: a prime power is needed, such as 2, 3, 4, 5, 7, 8, 9")
    return p, m


@dataclass(frozen=True)
class FiniteField:
    """The field with q elements.

    Attributes
    ----------
    q
        A prime power below 2**31.

    Raises
    ------
    ValueError
        When q is anything else.
    """

    q: int

    def __post_init__(self) -> None:
        prime_power(self.q)
        object.__setattr__(self, "q", int(self.q))

    @property
    def p(self) -> int:
        """The characteristic."""
        return prime_power(self.q)[0]

    @property
    def m(self) -> int:
        """The degree over the prime field."""
        return prime_power(self.q)[1]

    @cached_property
    def multipliers(self) -> Int[np.ndarray, "q m m"]:
        """The matrix over F_p of multiplication by each element (rows act on rows)."""
        if self.m == 1:
            return np.arange(self.q, dtype=np.int64).reshape(self.q, 1, 1)
        companion = _companion(self.p, self.m)
        powers = [np.eye(self.m, dtype=np.int64)]
        for _ in range(self.m - 1):
            powers.append(powers[-1] @ companion % self.p)
        digits = np.arange(self.q)[:, None] // self.p ** np.arange(self.m) % self.p
        return np.tensordot(digits, np.stack(powers), axes=1) % self.p

    def elements(self, name: str, matrix: Integer[np.ndarray, "..."]) -> Int[np.ndarray, "..."]:
        """Return an array as 64-bit integers when all entries are elements of the field.

        Raises
        ------
        ValueError
            When an entry is no whole number 0 … q-1; the message calls the array ``name``.
        """
        checked = whole_numbers(name, matrix)
        if checked.size and (checked.min() < 0 or checked.max() >= self.q):
            raise ValueError(f"{name} has entries outside F_{self.q}: elements 0 … {self.q - 1}")
        return checked

    def over_prime(self, matrix: Integer[np.ndarray, "... r c"]) -> Int[np.ndarray, "... rm cm"]:
        """Replace every element by its multiplication matrix over F_p.

        Raises
        ------
        ValueError
            When an entry is not an element 0 … q-1.
        """
        checked = self.elements("matrix", matrix)
        if self.m == 1:
            return checked
        blocks = np.moveaxis(self.multipliers[checked], -2, -3)
        *lead, r, m, c, _ = blocks.shape
        return blocks.reshape(*lead, r * m, c * m)

    def negative(self, matrix: Integer[np.ndarray, "..."]) -> Int[np.ndarray, "..."]:
        """Return the additive inverse of every element.

        Raises
        ------
        ValueError
            When an entry is not an element 0 … q-1.
        """
        digits = self.elements("matrix", matrix)[..., None] // self.p ** np.arange(self.m) % self.p
        return np.asarray((-digits % self.p) @ self.p ** np.arange(self.m))

    def add(
        self, left: Int[np.ndarray, "..."], right: Int[np.ndarray, "..."]
    ) -> Int[np.ndarray, "..."]:
        """Return the sum of two arrays of elements.

        Raises
        ------
        ValueError
            When an entry is not an element 0 … q-1.
        """
        powers = self.p ** np.arange(self.m)
        first, second = self.elements("left", left), self.elements("right", right)
        digits = first[..., None] // powers + second[..., None] // powers
        return np.asarray(digits % self.p @ powers)


@lru_cache(maxsize=32)
def _companion(p: int, m: int) -> Int[np.ndarray, "m m"]:
    """Return the companion matrix of the first monic irreducible polynomial over F_p.

    Raises
    ------
    ArithmeticError
        When there is none, which cannot be.
    """
    smaller = [
        np.array((*low, 1)) for d in range(1, m // 2 + 1) for low in product(range(p), repeat=d)
    ]
    for low in product(range(p), repeat=m):
        candidate = np.array((*low, 1))
        if all(_remainder(candidate, divisor, p).any() for divisor in smaller):
            companion = np.eye(m, k=1, dtype=np.int64)
            companion[-1] = -np.array(low) % p
            return companion
    raise ArithmeticError(f"no irreducible polynomial of degree {m} over F_{p}")


def _remainder(
    dividend: Int[np.ndarray, " a"], divisor: Int[np.ndarray, " b"], p: int
) -> Int[np.ndarray, " c"]:
    """Return the remainder of polynomials over F_p (lowest coefficient first, monic divisor)."""
    rest = dividend.copy()
    for shift in range(len(dividend) - len(divisor), -1, -1):
        rest[shift : shift + len(divisor)] -= rest[shift + len(divisor) - 1] * divisor
        rest %= p
    return rest[: len(divisor) - 1]
