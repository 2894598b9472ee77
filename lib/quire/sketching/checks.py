"""Checks of arguments, one line each: ``name = value: what is allowed``."""

import math
from typing import Any

import numpy as np
from jaxtyping import Float


def positive_integer(name: str, value: object) -> int:
    """Return ``value`` when it is an integer of at least 1.

    Raises
    ------
    ValueError
        Naming ``name``, for anything else; a boolean is no number here.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} = {value!r}: an integer >= 1 is allowed")
    return value


def non_negative(name: str, value: float) -> float:
    """Return ``value`` as a float when it is finite and at least 0; ``ValueError`` otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise ValueError(f"{name} = {value!r}: a number >= 0 is allowed")
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{name} = {value!r}: a finite number >= 0 is allowed")
    return float(value)


def real_array(name: str, values: Any, dimensions: int) -> Float[np.ndarray, "..."]:
    """Return ``values`` as doubles: a finite array of that many dimensions, not empty.

    Integers are promoted here, before any arithmetic could overflow.

    Raises
    ------
    ValueError
        For complex numbers, text, booleans, NaN, infinities, another shape, or nothing.
    """
    found = np.asarray(values)
    if found.dtype.kind not in "iuf":
        raise ValueError(f"{name} = an array of {found.dtype}: real numbers are allowed")
    if found.ndim != dimensions or found.size == 0:
        raise ValueError(
            f"{name} = an array of shape {found.shape}: a non-empty array of "
            f"{dimensions} dimension{'s' if dimensions > 1 else ''} is allowed"
        )
    if not np.isfinite(found).all():
        raise ValueError(f"{name} has non-finite entries: finite numbers are allowed")
    return found.astype(np.float64)
