"""Checks of arguments at the public edges: each names the argument, its value and what is allowed.

Numbers may be Python's or NumPy's; truth values are no numbers. Every check returns the value in
the type that arithmetic needs, so that an integer is promoted before it is used.
"""

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from jaxtyping import Float


def _real(name: str, value: Any, allowed: str) -> float:
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise ValueError(f"{name} = {value!r}: {allowed}")
    return float(value)


def positive(name: str, value: Any) -> float:
    """Return a finite number above zero.

    Raises
    ------
    ValueError
        For anything else.
    """
    allowed = "must be a positive finite number"
    number = _real(name, value, allowed)
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"{name} = {value!r}: {allowed}")
    return number


def not_negative(name: str, value: Any) -> float:
    """Return a finite number, zero or more.

    Raises
    ------
    ValueError
        For anything else.
    """
    allowed = "must be a finite number, zero or more"
    number = _real(name, value, allowed)
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(f"{name} = {value!r}: {allowed}")
    return number


def between(name: str, value: Any, low: int | float, high: int | float) -> float:
    """Return a number strictly between ``low`` and ``high``.

    Raises
    ------
    ValueError
        For anything else.
    """
    allowed = f"must lie strictly between {low:g} and {high:g}"
    number = _real(name, value, allowed)
    if not low < number < high:
        raise ValueError(f"{name} = {value!r}: {allowed}")
    return number


def whole(name: str, value: Any, least: int, most: int | None = None) -> int:
    """Return a whole number from ``least`` to ``most``; a float counts if it has no fraction.

    Raises
    ------
    ValueError
        For anything else.
    """
    limit = f"{least} or more" if most is None else f"from {least} to {most}"
    allowed = f"must be a whole number, {limit}"
    number = _real(name, value, allowed)
    if not (math.isfinite(number) and number == int(number)):
        raise ValueError(f"{name} = {value!r}: {allowed}")
    exact = int(value) if isinstance(value, Integral) else int(number)
    if exact < least or (most is not None and exact > most):
        raise ValueError(f"{name} = {value!r}: {allowed}")
    return exact


def wholes(name: str, values: Sequence[Any], least: int) -> list[int]:
    """Return a sequence of whole numbers, not empty, each ``least`` or more.

    Raises
    ------
    ValueError
        For anything else.
    """
    if not len(values):
        raise ValueError(f"{name} = {values!r}: must hold at least one number")
    return [whole(name, value, least) for value in values]


def column(name: str, values: Any, *, positive: bool) -> Float[np.ndarray, " n"]:
    """Return an array of one axis as floats, every entry finite and above zero (or not below).

    Raises
    ------
    ValueError
        For anything else.
    """
    allowed = "positive and finite" if positive else "finite, zero or more"
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "iuf":
        raise ValueError(f"{name}: must be an array of numbers with one axis")
    array = array.astype(float)
    wrong = ~(np.isfinite(array) & ((array > 0) if positive else (array >= 0)))
    if wrong.any():
        raise ValueError(f"{name} = {array[wrong][0]:g}: every entry must be {allowed}")
    return array
