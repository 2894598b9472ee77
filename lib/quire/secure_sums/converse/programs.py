"""The converse as a linear program over Shannon's inequalities.

Every protocol's joint entropies satisfy the elemental inequalities and the model's equalities, so
the least value of H(X_k), H(Z_k) or H(Z_[K]) over all that do, with H(W_k) = 1, is a lower bound on
R_X, R_Z or R_ZΣ for every protocol, linear or not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import optimize
from scipy.sparse import csr_array, hstack, vstack

from quire.secure_sums.converse.entropy_space import (
    EntropyModel,
    EntropySpace,
    Equality,
    elemental_inequalities,
    entropy_space,
)
from quire.signatures import checked

linprog: Any = optimize.linprog  # its stubs leave out sparse matrices


@dataclass(frozen=True)
class ConverseProgram:
    """min c·h subject to A·h >= 0 and E·h = b, over the unknown entropies h."""

    space: EntropySpace
    names: Int[np.ndarray, "m 3"]
    inequalities: csr_array
    equalities: tuple[Equality, ...]
    equality_matrix: csr_array
    values: Float[np.ndarray, " e"]


@dataclass(frozen=True)
class ConverseBound:
    """Optimum of one program, with the floating-point dual that a proof is made from.

    Attributes
    ----------
    program, objective
        What was solved.
    value
        Its optimum in floating point.
    rows, multipliers
        The inequalities with a multiplier, and theirs.
    prices
        Multipliers of the equalities.
    """

    program: ConverseProgram
    objective: str
    value: float
    rows: Int[np.ndarray, " s"]
    multipliers: Float[np.ndarray, " s"]
    prices: Float[np.ndarray, " e"]


@checked
def converse_program(model: EntropyModel) -> ConverseProgram:
    """Assemble the program of a model.

    Raises
    ------
    ValueError
        When the model has too many variables.
    """
    space = entropy_space(model)
    names, terms = elemental_inequalities(space)
    unknowns = len(space.representatives)
    number = np.repeat(np.arange(len(terms)), 4)
    sign = np.tile([1.0, 1.0, -1.0, -1.0], len(terms))
    kept = terms.reshape(-1) >= 0
    matrix = csr_array(
        (sign[kept], (number[kept], terms.reshape(-1)[kept])), shape=(len(terms), unknowns)
    )
    distinct: dict[tuple[tuple[int, int], ...], Equality] = {}
    for equality in model.equalities:
        row = tuple(sorted(space.row(equality.terms).items()))
        if row:
            distinct.setdefault(row, equality)
    rows = [
        csr_array(
            ([float(c) for _, c in row], ([0] * len(row), [i for i, _ in row])),
            shape=(1, unknowns),
        )
        for row in distinct
    ]
    kept_equalities = tuple(distinct.values())
    values = np.array([e.value for e in kept_equalities], dtype=np.float64)
    return ConverseProgram(space, names, matrix, kept_equalities, csr_array(vstack(rows)), values)


@checked
def converse_bound(
    program: ConverseProgram, objective: str, met: Bool[np.ndarray, " m"] | None = None
) -> ConverseBound:
    """Return the least value of an objective that Shannon's inequalities allow, with its dual.

    A second program finds, among the dual solutions of the optimal value, one of least total
    weight: short proofs.

    Parameters
    ----------
    program, objective
        What is minimised.
    met
        As in `converse_value`.

    Raises
    ------
    ValueError
        When the model has no such objective, or the solver does not reach an optimum.
    """
    cost = _cost(program, objective)
    value = converse_value(program, objective, met)
    count, prices = program.inequalities.shape[0], len(program.values)
    weight = np.concatenate([np.ones(count), np.zeros(prices)])
    price_row = csr_array(np.concatenate([np.zeros(count), program.values])[None])
    dual: Any = vstack([hstack([program.inequalities.T, program.equality_matrix.T]), price_row])
    rounded = round(value * 12) / 12  # the solver's last digits, not the theorem's
    target = rounded if abs(rounded - value) < 1e-6 else value - 1e-7
    found = linprog(
        weight,
        A_eq=dual.tocsc(),
        b_eq=np.concatenate([cost, [target]]),
        bounds=[(0, None)] * count + [(None, None)] * prices,
        method="highs-ipm",
    )
    if found.x is None:
        raise ValueError(f"objective = {objective!r}: no dual of value {target} ({found.message})")
    rows = np.flatnonzero(found.x[:count] > 1e-9)
    return ConverseBound(program, objective, value, rows, found.x[:count][rows], found.x[count:])


@checked
def converse_value(
    program: ConverseProgram, objective: str, met: Bool[np.ndarray, " m"] | None = None
) -> float:
    """Return the optimum alone, in floating point, without what a proof needs.

    Most inequalities never bind, so the program starts from a random few and takes in the violated
    ones until there are none.

    Parameters
    ----------
    program, objective
        What is minimised.
    met
        Inequalities to start from instead, of which any few will do; those that are taken in are
        marked in it. Objectives of one program that share it are solved faster.

    Raises
    ------
    ValueError
        When the model has no such objective, or the solver does not reach an optimum.
    """
    cost = _cost(program, objective)
    met = first_inequalities(program) if met is None else met
    while True:
        solved = linprog(
            cost,
            A_ub=-program.inequalities[met],
            b_ub=np.zeros(met.sum()),
            A_eq=program.equality_matrix,
            b_eq=program.values,
            bounds=(0, program.space.model.variables),
            method="highs-ipm",
        )
        if solved.x is None:
            raise ValueError(f"objective = {objective!r}: no optimum ({solved.message})")
        slack = program.inequalities @ solved.x
        slack[met] = 0.0
        violated = np.flatnonzero(slack < -1e-7)
        if len(violated) == 0:
            return float(solved.fun)
        met[violated[np.argsort(slack[violated])[: len(cost)]]] = True


def converse_values(program: ConverseProgram, objectives: Iterable[str]) -> list[float]:
    """Return the optimum of each objective, as `converse_value` does.

    Raises
    ------
    ValueError
        When the model has no such objective, or the solver does not reach an optimum.
    """
    met = first_inequalities(program)
    return [converse_value(program, objective, met) for objective in objectives]


def first_inequalities(program: ConverseProgram) -> Bool[np.ndarray, " m"]:
    """Mark a random few to start from; which come first changes no optimum."""
    count, unknowns = program.inequalities.shape
    met = np.zeros(count, dtype=bool)
    rng = np.random.default_rng(0)
    met[rng.choice(count, min(count, 2 * unknowns), replace=False)] = True
    return met


def _cost(program: ConverseProgram, objective: str) -> Float[np.ndarray, " u"]:
    """Return the coefficients of the unknowns in the objective.

    Raises
    ------
    ValueError
        When the model has no such objective.
    """
    model = program.space.model
    if objective not in model.objectives:
        raise ValueError(f"objective = {objective!r}: one of {', '.join(model.objectives)}")
    cost = np.zeros(program.inequalities.shape[1])
    for unknown, coefficient in program.space.row(model.objectives[objective]).items():
        cost[unknown] = coefficient
    return cost
