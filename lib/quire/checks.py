"""Checks of arguments at public edges, for every topic: ``name = value: what is allowed``.

Numbers may be Python's or NumPy's; truth values are no numbers. Each check returns the value in the
type that arithmetic needs, so that an integer is promoted before it is used.
"""

import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int

from quire.signatures import shown

__all__ = [
    "between",
    "finite",
    "instance",
    "integer",
    "integers",
    "non_negative",
    "positive",
    "real_array",
    "share",
    "truths",
    "whole_array",
]

Kind = TypeVar("Kind")


def instance(name: str, value: Any, kind: type[Kind]) -> Kind:
    """Return an object of the class that is asked for.

    Raises
    ------
    ValueError
        For an object of another.
    """
    if not isinstance(value, kind):
        raise ValueError(f"{name} = {shown(value)}: must be a {kind.__name__}")
    return value


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


def finite(name: str, value: Any) -> float:
    """Return a finite number of either sign.

    Raises
    ------
    ValueError
        For anything else.
    """
    return _number(name, value, "must be a finite number", lambda x: True)


def share(name: str, value: Any) -> float:
    """Return a number from 0 to 1, both included.

    Raises
    ------
    ValueError
        For anything else.
    """
    return _number(name, value, "must be from 0 to 1", lambda x: 0 <= x <= 1)


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


def integers(name: str, values: Iterable[Any], least: int = 1) -> list[int]:
    """Return a list of integers, not empty, each ``least`` or more; an iterator is read once.

    Raises
    ------
    ValueError
        For anything else.
    """
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise ValueError(f"{name} = {values!r}: must be a list of integers")
    found = [integer(name, value, least) for value in values]
    if not found:
        raise ValueError(f"{name} = {values!r}: must hold at least one integer")
    return found


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


def whole_array(
    name: str,
    values: Any,
    dimensions: int,
    *,
    least: int = -(2**63),
    most: int = 2**63 - 1,
) -> Int[np.ndarray, "..."]:
    """Return ``values`` as 64-bit integers: an array of that many dimensions, perhaps empty.

    Any type of integer is taken, so that no small one overflows later.

    Raises
    ------
    ValueError
        For floats, text, truth values, another shape, or an entry outside ``least`` … ``most``.
    """
    found = np.asarray(values)
    if found.size == 0 and found.dtype.kind == "f":
        found = found.astype(np.int64)  # an empty list has no kind of its own
    if found.dtype.kind not in "iu":
        raise ValueError(f"{name} = an array of {found.dtype}: must hold integers")
    if found.ndim != dimensions:
        raise ValueError(
            f"{name} = an array of shape {found.shape}: must have "
            f"{dimensions} dimension{'' if dimensions == 1 else 's'}"
        )
    if found.size and (int(found.min()) < least or int(found.max()) > most):
        outside = found[(found < least) | (found > most)]
        raise ValueError(f"{name} = {outside[0]}: every entry must lie from {least} to {most}")
    return found.astype(np.int64)


def truths(name: str, values: Any, shape: tuple[int, ...] | None = None) -> Bool[np.ndarray, "..."]:
    """Return an array of truth values, of that shape where one is given.

    Raises
    ------
    ValueError
        For numbers (which might be places), text, or another shape.
    """
    found = np.asarray(values)
    if found.size == 0 and found.dtype.kind == "f":
        found = found.astype(bool)  # an empty list has no kind of its own
    if found.dtype.kind != "b":
        raise ValueError(f"{name} = an array of {found.dtype}: must hold truth values")
    if shape is not None and found.shape != shape:
        raise ValueError(f"{name} = an array of shape {found.shape}: must be {shape}")
    return found


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
