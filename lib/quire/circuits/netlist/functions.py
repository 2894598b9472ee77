"""Functions of expressions, each with its derivatives: values are pairs (value, slopes).

A value carries the slopes against every probe of a B source; parameters carry none. The array
library is NumPy or ``jax.numpy``. Two families differ in ngspice: ``pwr`` keeps the sign of its
base in a B source and drops it among parameters, where ``pow`` keeps it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from quire.circuits.netlist.expressions import Call, Expression, Name, Number, Probe

_TINY = 1e-32  # what a denominator gains in a B source, so that 1/0 is large and finite
_LEAST = 1 / np.finfo(float).max
RANDOM = {"gauss", "agauss", "unif", "aunif", "limit"}


@dataclass(frozen=True)
class Value:
    """A value and its slopes against every probe; a slope of None is zero."""

    value: Any
    slopes: tuple[Any, ...] = ()


def _chain(value: Any, *terms: tuple[Any, Value]) -> Value:
    """Return a value whose slopes are the sum of factor times slope over the terms."""
    count = max((len(v.slopes) for _, v in terms), default=0)
    slopes: list[Any] = [None] * count
    for factor, v in terms:
        for k, slope in enumerate(v.slopes):
            if slope is not None:
                part = factor * slope
                slopes[k] = part if slopes[k] is None else slopes[k] + part
    return Value(value, tuple(slopes))


def _flat(value: Any, *arguments: Value) -> Value:
    """Return a value that does not change with its arguments, but at steps."""
    return Value(value, (None,) * max((len(a.slopes) for a in arguments), default=0))


def _power(xp: Any, x: Value, y: Value, keep: Any) -> Value:
    """Return keep(x) * |x|^y; keep is 1 or the sign."""
    size = xp.abs(x.value)
    value = keep * size**y.value
    # |x|^(y-1) y, without a division by zero where y is 1 or more
    safe = xp.where(size == 0, 1.0, size)
    slope = xp.where(size == 0, xp.where(y.value == 1, 1.0, 0.0), y.value * safe ** (y.value - 1.0))
    inner = keep * xp.sign(x.value) * slope
    inner = xp.where(size == 0, keep * slope, inner)
    return _chain(value, (inner, x), (value * xp.log(safe), y))


def _one(
    f: Callable[[Any, Any], Any], d: Callable[[Any, Any], Any]
) -> Callable[[Any, Value], Value]:
    return lambda xp, x: _chain(f(xp, x.value), (d(xp, x.value), x))


def _step(f: Callable[[Any, Any], Any]) -> Callable[[Any, Value], Value]:
    return lambda xp, x: _flat(f(xp, x.value), x)


def _pick(xp: Any, condition: Any, first: Value, second: Value) -> Value:
    value = xp.where(condition, first.value, second.value)
    slopes: list[Any] = []
    for k in range(max(len(first.slopes), len(second.slopes))):
        a, b = (v.slopes[k] if k < len(v.slopes) else None for v in (first, second))
        if a is None and b is None:
            slopes.append(None)
            continue
        # the branch that is not taken may have no slope at all: it is left out, not times zero
        slopes.append(xp.where(condition, 0.0 if a is None else a, 0.0 if b is None else b))
    return Value(value, tuple(slopes))


def _compared(f: Callable[[Any, Any], Any]) -> Callable[[Any, Value, Value], Value]:
    return lambda xp, x, y: _flat(xp.where(f(x.value, y.value), 1.0, 0.0), x, y)


def _pwl(xp: Any, x: Value, *points: Value) -> Value:
    """Return straight lines through points, each end going on as its line does.

    Raises
    ------
    ValueError
        For points that are too few, not numbers, or do not increase.
    """
    if len(points) < 4 or len(points) % 2:
        raise ValueError("pwl needs two points or more")
    if any(s is not None for p in points for s in p.slopes):
        raise ValueError("pwl takes points that are numbers")
    at = [float(p.value) for p in points[::2]]
    to = [float(p.value) for p in points[1::2]]
    if any(b <= a for a, b in pairwise(at)):
        raise ValueError("the points of pwl must increase")
    slopes = [(d - c) / (b - a) for (a, b), (c, d) in zip(pairwise(at), pairwise(to), strict=True)]
    value, slope = to[0] + slopes[0] * (x.value - at[0]), slopes[0] + 0.0 * x.value
    for k in range(1, len(slopes)):
        beyond = x.value > at[k]
        value = xp.where(beyond, to[k] + slopes[k] * (x.value - at[k]), value)
        slope = xp.where(beyond, slopes[k], slope)
    return _chain(value, (slope, x))


def _logarithm(base: float) -> Callable[[Any, Value], Value]:
    """Return a logarithm that is finite at zero, where Newton's method begins."""
    return _one(
        lambda xp, x: xp.log(xp.where(x == 0, _LEAST, x)) / base,
        lambda xp, x: 1 / (xp.where(x == 0, _TINY, x) * base),
    )


Function = Callable[..., Value]
_UNARY: dict[str, Function] = {
    "negate": _one(lambda xp, x: -x, lambda xp, x: -1.0),
    "sqrt": _one(lambda xp, x: xp.sqrt(x), lambda xp, x: 0.5 / xp.sqrt(xp.maximum(x, 1e-300))),
    "sin": _one(lambda xp, x: xp.sin(x), lambda xp, x: xp.cos(x)),
    "cos": _one(lambda xp, x: xp.cos(x), lambda xp, x: -xp.sin(x)),
    "tan": _one(lambda xp, x: xp.tan(x), lambda xp, x: 1 + xp.tan(x) ** 2),
    "asin": _one(lambda xp, x: xp.arcsin(x), lambda xp, x: 1 / xp.sqrt(1 - x * x)),
    "acos": _one(lambda xp, x: xp.arccos(x), lambda xp, x: -1 / xp.sqrt(1 - x * x)),
    "atan": _one(lambda xp, x: xp.arctan(x), lambda xp, x: 1 / (1 + x * x)),
    "sinh": _one(lambda xp, x: xp.sinh(x), lambda xp, x: xp.cosh(x)),
    "cosh": _one(lambda xp, x: xp.cosh(x), lambda xp, x: xp.sinh(x)),
    "tanh": _one(lambda xp, x: xp.tanh(x), lambda xp, x: 1 - xp.tanh(x) ** 2),
    "asinh": _one(lambda xp, x: xp.arcsinh(x), lambda xp, x: 1 / xp.sqrt(1 + x * x)),
    "acosh": _one(lambda xp, x: xp.arccosh(x), lambda xp, x: 1 / xp.sqrt(x * x - 1)),
    "atanh": _one(lambda xp, x: xp.arctanh(x), lambda xp, x: 1 / (1 - x * x)),
    "exp": _one(lambda xp, x: xp.exp(x), lambda xp, x: xp.exp(x)),
    "ln": _logarithm(1.0),
    "log10": _logarithm(math.log(10)),
    "abs": _one(lambda xp, x: xp.abs(x), lambda xp, x: xp.where(x < 0, -1.0, 1.0)),
    "sgn": _step(lambda xp, x: xp.sign(x)),
    "floor": _step(lambda xp, x: xp.floor(x)),
    "ceil": _step(lambda xp, x: xp.ceil(x)),
    "nint": _step(lambda xp, x: xp.rint(x)),
    "!": _step(lambda xp, x: xp.where(x == 0, 1.0, 0.0)),
}  # fmt: skip
_SHARED: dict[str, Function] = {
    **_UNARY,
    "log": _UNARY["ln"],
    "+": lambda xp, x, y: _chain(x.value + y.value, (1.0, x), (1.0, y)),
    "-": lambda xp, x, y: _chain(x.value - y.value, (1.0, x), (-1.0, y)),
    "*": lambda xp, x, y: _chain(x.value * y.value, (y.value, x), (x.value, y)),
    "^": lambda xp, x, y: _power(xp, x, y, 1.0),
    "min": lambda xp, x, y: _pick(xp, x.value <= y.value, x, y),
    "max": lambda xp, x, y: _pick(xp, x.value >= y.value, x, y),
    "ternary_fcn": lambda xp, c, x, y: _pick(xp, c.value != 0, x, y),
    "==": _compared(lambda x, y: x == y),
    "!=": _compared(lambda x, y: x != y),
    "<": _compared(lambda x, y: x < y),
    ">": _compared(lambda x, y: x > y),
    "<=": _compared(lambda x, y: x <= y),
    ">=": _compared(lambda x, y: x >= y),
    "&&": _compared(lambda x, y: (x != 0) & (y != 0)),
    "||": _compared(lambda x, y: (x != 0) | (y != 0)),
}


def _quotient(xp: Any, x: Value, y: Value) -> Value:
    safe = y.value + xp.where(y.value >= 0, _TINY, -_TINY)
    return _chain(x.value / safe, (1 / safe, x), (-x.value / safe**2, y))


PARAMETERS: dict[str, Function] = {
    **_SHARED,
    "/": lambda xp, x, y: Value(x.value / y.value),
    "%": lambda xp, x, y: Value(math.fmod(x.value, y.value)),
    "\\": lambda xp, x, y: Value(float(math.trunc(x.value / y.value))),
    "sqr": lambda xp, x: Value(x.value * x.value),
    "arctan": _UNARY["atan"],
    "int": lambda xp, x: Value(float(math.trunc(x.value))),
    "pow": lambda xp, x, y: Value(x.value**y.value),
    "pwr": lambda xp, x, y: Value(abs(x.value) ** y.value),
}
SOURCES: dict[str, Function] = {
    **_SHARED,
    "/": _quotient,
    "pow": lambda xp, x, y: _power(xp, x, y, 1.0),
    "pwr": lambda xp, x, y: _power(xp, x, y, xp.where(x.value < 0, -1.0, 1.0)),
    "u": _step(lambda xp, x: xp.where(x < 0, 0.0, xp.where(x > 0, 1.0, 0.5))),
    "u2": _one(
        lambda xp, x: xp.clip(x, 0.0, 1.0), lambda xp, x: xp.where((x > 0) & (x < 1), 1.0, 0.0)
    ),
    "uramp": _one(lambda xp, x: xp.maximum(x, 0.0), lambda xp, x: xp.where(x > 0, 1.0, 0.0)),
    "pwl": _pwl,
}


def check_call(call: Call, functions: Mapping[str, Function]) -> None:
    """Refuse a function that there is not, or a wrong number of arguments.

    Raises
    ------
    ValueError
        With the function's name.
    """
    function = functions.get(call.name)
    if function is None:
        why = " draws a random number" if call.name in RANDOM else " is no function here"
        raise ValueError(f"{call.name}(){why}")
    code = function.__code__
    least = code.co_argcount - 1
    if len(call.arguments) < least or (len(call.arguments) > least and not code.co_flags & 4):
        raise ValueError(f"{call.name}() takes {least} arguments, not {len(call.arguments)}")


def evaluate(
    expression: Expression,
    names: Callable[[str], Value],
    probes: Callable[[Probe], Value],
    functions: Mapping[str, Function],
    xp: Any = np,
) -> Value:
    """Return the value of a tree.

    Parameters
    ----------
    expression
        The tree.
    names, probes
        What names and probes are worth.
    functions
        `PARAMETERS` or `SOURCES`.
    xp
        NumPy or ``jax.numpy``.

    Raises
    ------
    ValueError
        For a function that there is not.
    """
    match expression:
        case Number():
            return Value(expression.value)
        case Name():
            return names(expression.name)
        case Probe():
            return probes(expression)
    arguments: Sequence[Value] = [
        evaluate(part, names, probes, functions, xp) for part in expression.arguments
    ]
    check_call(expression, functions)
    return functions[expression.name](xp, *arguments)
