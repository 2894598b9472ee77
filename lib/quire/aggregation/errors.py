"""What can be wrong with a federation's data, an update or a setting."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


class GraphError(ValueError):
    """A graph or a split of it that is not what federated training needs."""


class SettingError(ValueError):
    """A setting outside the range in which the formulas mean anything."""


class LeafMismatch(TypeError):
    """Two parameter trees that should have the same leaves and do not; names the leaf's path."""


def require(holds: bool, what: str) -> None:
    """Refuse a setting with ``what`` unless ``holds``.

    Raises
    ------
    SettingError
        When it does not hold.
    """
    if not holds:
        raise SettingError(what)


def settled(check: Callable[..., Any], *arguments: Any, **bounds: Any) -> Any:
    """Return what a check of :mod:`quire.checks` returns.

    Raises
    ------
    SettingError
        With the check's words, when it refuses.
    """
    try:
        return check(*arguments, **bounds)
    except ValueError as error:
        raise SettingError(str(error)) from None


def require_range(
    name: str,
    value: object,
    low: int | float,
    high: int | float,
    *,
    low_open: bool = False,
    high_open: bool = False,
) -> None:
    """Check that a concrete number lies between two bounds; traced values pass unchecked.

    Raises
    ------
    SettingError
        When ``value`` is a Python number that is not a number or lies outside; names the argument.
    """
    if not isinstance(value, int | float):
        return
    inside = (low < value if low_open else low <= value) and (
        value < high if high_open else value <= high
    )
    if math.isnan(value) or not inside:
        interval = f"{'(' if low_open else '['}{low:g}, {high:g}{')' if high_open else ']'}"
        raise SettingError(f"{name} = {value} is outside {interval}; give a value inside")
