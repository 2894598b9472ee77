"""Constants: the value of a Python expression that needs nothing to be run.

Literals, lists, tuples and mappings of them, arithmetic on numbers (``60 * 60``, ``2**10``),
texts put together, ``math.pi``. All plain JSON data: no infinity, no bytes, no keys but texts.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

_OPERATIONS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_SIGNS: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
}
_LARGEST_POWER = 1024


class NotPlain(ValueError):
    """An expression that only a run could give a value, or whose value is no plain data."""


def evaluate(node: ast.expr) -> Any:
    """Return the value of an expression.

    Raises
    ------
    NotPlain
        For names, calls, comprehensions, f-strings, bytes, complex and infinite numbers, keys that
        are no texts, a division by zero, an unreasonable power.
    """
    match node:
        case ast.Constant(value=value):
            return _finite(node, value)
        case ast.List(elts=items):
            return [evaluate(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(evaluate(item) for item in items)
        case ast.Dict(keys=keys, values=values):
            return _mapping(node, keys, values)
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _SIGNS:
            return _finite(node, _SIGNS[type(sign)](_number(node, evaluate(operand))))
        case ast.BinOp(left=left, op=operation, right=right) if type(operation) in _OPERATIONS:
            return _combined(node, operation, evaluate(left), evaluate(right))
        case ast.Attribute(value=ast.Name(id="math"), attr="pi" | "e" | "tau" as name):
            return getattr(math, name)
    raise NotPlain(_written(node))


def _combined(node: ast.expr, operation: ast.operator, left: Any, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str) and isinstance(operation, ast.Add):
        return left + right
    left, right = _number(node, left), _number(node, right)
    if isinstance(operation, ast.Pow) and (abs(right) > _LARGEST_POWER or abs(left) > 2**64):
        raise NotPlain(_written(node))
    try:
        return _finite(node, _OPERATIONS[type(operation)](left, right))
    except (ArithmeticError, ValueError):
        raise NotPlain(_written(node)) from None


def _mapping(node: ast.expr, keys: list[ast.expr | None], values: list[ast.expr]) -> dict[str, Any]:
    names = [None if key is None else evaluate(key) for key in keys]
    if not all(isinstance(name, str) for name in names):
        raise NotPlain(f"{_written(node)}: keys are texts")
    return dict(zip(map(str, names), map(evaluate, values), strict=True))


def _number(node: ast.expr, value: Any) -> Any:
    if not isinstance(value, int | float):
        raise NotPlain(_written(node))
    return value


def _finite(node: ast.expr, value: Any) -> Any:
    if not isinstance(value, bool | int | float | str | None):
        raise NotPlain(_written(node))
    if isinstance(value, float) and not math.isfinite(value):
        raise NotPlain(f"{_written(node)} is not finite")
    return value


def _written(node: ast.expr) -> str:
    text = ast.unparse(node)
    return text if len(text) <= 60 else f"{text[:60]}…"
