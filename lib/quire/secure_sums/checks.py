"""Checks at the public edges: arrays of whole numbers, and of yes and no."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Int


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
