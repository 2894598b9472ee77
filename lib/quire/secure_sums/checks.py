"""Checks at the public edges: whole numbers are whole, and arrays hold what they should."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from jaxtyping import Bool, Int


def whole_number(name: str, value: object, least: int, most: int | None = None) -> int:
    """Return a whole number as a Python integer.

    Parameters
    ----------
    name
        What the number is, for the message.
    value
        The number; a Boolean or a float is none.
    least, most
        The allowed range, both ends included.

    Raises
    ------
    ValueError
        When it is no integer, or outside the range.
    """
    allowed = f"a whole number of at least {least}"
    if most is not None:
        allowed = f"a whole number from {least} to {most}"
    if isinstance(value, bool | np.bool_) or not isinstance(value, Integral):
        raise ValueError(f"{name} = {value!r}: {allowed} is needed")
    number = int(value)
    if number < least or (most is not None and number > most):
        raise ValueError(f"{name} = {number}: {allowed} is needed")
    return number


def whole_numbers(name: str, values: Any) -> Int[np.ndarray, "..."]:
    """Return an array of whole numbers as 64-bit integers, promoted before any arithmetic.

    Parameters
    ----------
    name
        What the array is, for the message.
    values
        Integers of any width, signed or not; an empty array may have any kind of entry.

    Raises
    ------
    ValueError
        When the entries are no integers, or do not fit 64 bits.
    """
    array = np.asarray(values)
    if array.size and array.dtype.kind not in "iu":
        raise ValueError(f"{name} has entries of type {array.dtype}: whole numbers are needed")
    if array.size and array.dtype == np.uint64 and array.max() > np.iinfo(np.int64).max:
        raise ValueError(f"{name} has entries beyond 2^63 - 1: smaller ones are needed")
    return array.astype(np.int64)


def yes_or_no(name: str, values: Any, shape: tuple[int, ...]) -> Bool[np.ndarray, "..."]:
    """Return a Boolean array of a given shape; the integers 0 and 1 are taken as no and yes.

    Parameters
    ----------
    name
        What the array is, for the message.
    values
        Booleans, or the integers 0 and 1.
    shape
        The shape it must have.

    Raises
    ------
    ValueError
        When the shape is another, or an entry is neither 0 nor 1.
    """
    array = np.asarray(values)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}: {shape} is needed")
    if array.dtype != bool and (array.dtype.kind not in "iu" or not np.isin(array, (0, 1)).all()):
        raise ValueError(f"{name} has entries that are neither yes nor no: Booleans are needed")
    return array.astype(bool)
