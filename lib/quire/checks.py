"""Checks of arguments at public edges, for every topic: ``name = value: what is allowed``.

Numbers may be Python's or NumPy's; truth values are no numbers. Each check returns the value in the
type that arithmetic needs, so that an integer is promoted before it is used.
"""

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from jaxtyping import Float

__all__ = ["between", "integer", "integers", "non_negative", "positive", "real_array"]


def positive(name: str, value: Any) -> float:
    """Return a finite number above zero.

    Raises
    ------
    ValueError
        For anything else.
    """
    return _number(name, value, "must be a positive finite number", lambda x: x > 0)


def non_negative(name: str, value: Any) -> float:
    """Return a finite number, zero or more.

    Raises
    ------
    ValueError
        For anything else.
    """
    return _number(name, value, "must be a finite number, zero or more", lambda x: x >= 0)


def between(name: str, value: Any, low: float, high: float) -> float:
    """Return a number strictly between ``low`` and ``high``.

    Raises
    ------
    ValueError
        For anything else.
    """
    allowed = f"must lie strictly between {low:g} and {high:g}"
    return _number(name, value, allowed, lambda x: low < x < high)


def integer(name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """Return an integer from ``least`` to ``most``, as Python's own.

    Raises
    ------
    ValueError
        For anything else, a float without a fraction included.
    """
    limit = f"{least} or more" if most is None else f"from {least} to {most}"
    if isinstance(value, bool | np.bool_) or not isinstance(value, Integral):
        raise ValueError(f"{name} = {value!r}: must be an integer, {limit}")
    exact = int(value)
    if exact < least or (most is not None and exact > most):
        raise ValueError(f"{name} = {exact}: must be an integer, {limit}")
    return exact


def integers(name: str, values: Sequence[Any], least: int = 1) -> list[int]:
    """Return a sequence of integers, not empty, each ``least`` or more.

    Raises
    ------
    ValueError
        For anything else.
    """
    if not len(values):
        raise ValueError(f"{name} = {values!r}: must hold at least one integer")
    return [integer(name, value, least) for value in values]


def real_array(
    name: str,
    values: Any,
    dimensions: int,
    *,
    least: float = -math.inf,
    above: float = -math.inf,
) -> Float[np.ndarray, "..."]:
    """Return ``values`` as doubles: a finite array of that many dimensions, not empty.

    Integers are promoted here, before any arithmetic could overflow.

    Parameters
    ----------
    name
        What to call the argument.
    values
        Anything that NumPy can read as an array.
    dimensions
        Number of axes.
    least, above
        Every entry must be ``least`` or more, and greater than ``above``.

    Raises
    ------
    ValueError
        For complex numbers, text, truth values, NaN, infinities, another shape, an entry that is
        too small, or nothing.
    """
    found = np.asarray(values)
    if found.dtype.kind not in "iuf":
        raise ValueError(f"{name} = an array of {found.dtype}: must hold real numbers")
    if found.ndim != dimensions or found.size == 0:
        raise ValueError(
            f"{name} = an array of shape {found.shape}: must be a non-empty array of "
            f"{dimensions} dimension{'' if dimensions == 1 else 's'}"
        )
    array = found.astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has non-finite entries: must hold finite numbers")
    small = ~((array >= least) & (array > above))
    if small.any():
        allowed = f"above {above:g}" if math.isfinite(above) else f"{least:g} or more"
        raise ValueError(f"{name} = {array[small][0]:g}: every entry must be {allowed}")
    return array


def _number(name: str, value: Any, allowed: str, holds: Any) -> float:
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise ValueError(f"{name} = {value!r}: {allowed}")
    try:
        number = float(value)
    except OverflowError:  # an integer beyond the doubles
        raise ValueError(f"{name} = an integer beyond 1e308: {allowed}") from None
    if not (math.isfinite(number) and holds(number)):
        raise ValueError(f"{name} = {value!r}: {allowed}")
    return number
