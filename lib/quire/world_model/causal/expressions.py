"""Estimands as trees of sums, products and quotients of one joint distribution, and their values.

Evaluated on an array with one axis a variable, a node keeps every axis: a variable that is summed
or absent has length one there, so that products broadcast and inner sums hide outer variables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Values = Float[np.ndarray, "..."]


@dataclass(frozen=True)
class Joint:
    """The observational distribution itself, over ``variables``."""

    variables: tuple[str, ...]

    def __str__(self) -> str:
        return f"P({', '.join(self.variables)})"


@dataclass(frozen=True)
class Sum:
    """The sum of an expression over variables."""

    over: tuple[str, ...]
    of: Expression

    def __str__(self) -> str:
        if isinstance(self.of, Joint):
            left = [v for v in self.of.variables if v not in self.over]
            return f"P({', '.join(left)})" if left else "1"
        return f"Σ_{{{', '.join(self.over)}}} {_factor(self.of)}"


@dataclass(frozen=True)
class Product:
    """A product of expressions."""

    factors: tuple[Expression, ...]

    def __str__(self) -> str:
        return " ".join(_factor(f) for f in self.factors)


@dataclass(frozen=True)
class Conditional:
    """One variable given earlier ones, in the distribution that an expression describes."""

    variable: str
    given: tuple[str, ...]
    later: tuple[str, ...]
    of: Expression

    def __str__(self) -> str:
        bar = f" | {', '.join(self.given)}" if self.given else ""
        if isinstance(self.of, Joint) or (
            isinstance(self.of, Sum) and isinstance(self.of.of, Joint)
        ):
            return f"P({self.variable}{bar})"
        return f"[{self.of}]({self.variable}{bar})"


Expression = Joint | Sum | Product | Conditional


def summed(over: Sequence[str], of: Expression) -> Expression:
    """Return the sum over variables; the expression itself where there are none."""
    return Sum(tuple(over), of) if over else of


def evaluate(expression: Expression, axes: Sequence[str], joint: Values) -> Values:
    """Return the values of an expression: an array with all axes, unused ones of length 1.

    Parameters
    ----------
    expression
        The estimand.
    axes
        The variable of each axis.
    joint
        The joint distribution. Where an event that is conditioned on has probability zero, the
        value is not a number.
    """
    if isinstance(expression, Joint):
        return joint
    if isinstance(expression, Sum):
        over = tuple(axes.index(v) for v in expression.over)
        return evaluate(expression.of, axes, joint).sum(axis=over, keepdims=True)
    if isinstance(expression, Product):
        value = np.ones((1,) * len(axes))
        for factor in expression.factors:
            value = value * evaluate(factor, axes, joint)
        return value
    inner = evaluate(expression.of, axes, joint)
    later = tuple(axes.index(v) for v in expression.later)
    above = inner.sum(axis=later, keepdims=True)
    below = above.sum(axis=axes.index(expression.variable), keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(above / below)


def _factor(expression: Expression) -> str:
    text = str(expression)
    return f"[{text}]" if isinstance(expression, Sum) and text.startswith("Σ") else text
