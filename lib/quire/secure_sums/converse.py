"""The converse as a linear program over Shannon's inequalities.

Every protocol's joint entropies satisfy the elemental inequalities and the equalities below, so the
least value of H(X_1), H(Z_1) or H(Z_[K]) over all of them, with H(W_1) = 1, is a lower bound on
R_X, R_Z or R_ZΣ for every protocol, linear or not (ours; the theorem's converse, by machine).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int
from scipy import optimize
from scipy.sparse import csr_array, hstack, vstack

from quire.secure_sums.entropy_space import (
    AggregationProblem,
    EntropySpace,
    elemental_inequalities,
    entropy_space,
)

Objective = Literal["message", "key", "total key"]
linprog: Any = optimize.linprog  # its stubs leave out sparse matrices
OBJECTIVES: tuple[Objective, ...] = ("message", "key", "total key")


@dataclass(frozen=True)
class Equality:
    """Σ coefficient·H(set) = value: what defines the problem.

    Parameters
    ----------
    name
        ("inputs",), ("input", k), ("sum", u), ("independent keys",) or ("secure", u, 𝒯).
    terms
        Coefficient of each set's entropy.
    value
        The right-hand side, in units of one input's entropy.
    """

    name: tuple[str | int | tuple[int, ...], ...]
    terms: dict[int, int]
    value: int


def equalities(problem: AggregationProblem) -> tuple[Equality, ...]:
    """Return the equalities of a problem, one security equality for each of its coalitions.

    One equality per orbit would be enough; all are kept, and equal rows drop out later.
    """
    users = problem.users
    inputs = sum(1 << 3 * k for k in range(users))
    keys = inputs << 1
    found = [
        Equality(("inputs",), {inputs: 1}, users),
        Equality(("independent keys",), {inputs | keys: 1, keys: -1}, users),
    ]
    found += [Equality(("input", k), {1 << 3 * k: 1}, 1) for k in range(users)]
    found += [Equality(("sum", u), {problem.sum_bit(u): 1}, 1) for u in range(users)]
    found += [
        Equality(("secure", u, colluders), security_terms(problem, u, colluders), 0)
        for u, colluders in problem.coalitions
    ]
    return tuple(found)


def security_terms(
    problem: AggregationProblem, user: int, colluders: tuple[int, ...]
) -> dict[int, int]:
    """Return I({X_j heard}; W_[K] | sums due, own and pooled data) as a sum of entropies."""
    coalition = (user, *colluders)
    given = 0
    for k in coalition:
        given |= (0b011 << 3 * k) | problem.sum_bit(k)
    heard = sum(
        0b100 << 3 * j for j in range(problem.users) if any(problem.hears[k][j] for k in coalition)
    )
    inputs = sum(1 << 3 * k for k in range(problem.users))
    terms: dict[int, int] = {}
    for subset, sign in (
        (given | heard, 1),
        (given | inputs, 1),
        (given | heard | inputs, -1),
        (given, -1),
    ):
        terms[subset] = terms.get(subset, 0) + sign
    return terms


def objective_set(problem: AggregationProblem, objective: Objective) -> int:
    """Return the set whose entropy is minimised: X_1, Z_1 or all the keys."""
    keys = sum(0b010 << 3 * k for k in range(problem.users))
    sets = {"message": 0b100, "key": 0b010, "total key": keys}
    if objective not in sets:
        raise ValueError(f"objective {objective!r} is none of {', '.join(OBJECTIVES)}")
    return sets[objective]


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
    """Optimum of one program, with the floating-point dual that a certificate is made from.

    ``rows`` are the inequalities with a multiplier, ``multipliers`` theirs, ``prices`` those of the
    equalities.
    """

    program: ConverseProgram
    objective: Objective
    value: float
    rows: Int[np.ndarray, " s"]
    multipliers: Float[np.ndarray, " s"]
    prices: Float[np.ndarray, " e"]


def converse_program(problem: AggregationProblem) -> ConverseProgram:
    """Assemble the program of a problem."""
    space = entropy_space(problem)
    names, terms = elemental_inequalities(space)
    unknowns = len(space.representatives)
    number = np.repeat(np.arange(len(terms)), 4)
    sign = np.tile([1.0, 1.0, -1.0, -1.0], len(terms))
    kept = terms.reshape(-1) >= 0
    matrix = csr_array(
        (sign[kept], (number[kept], terms.reshape(-1)[kept])), shape=(len(terms), unknowns)
    )
    distinct: dict[tuple[tuple[int, int], ...], Equality] = {}
    for equality in equalities(problem):
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


def converse_bound(program: ConverseProgram, objective: Objective) -> ConverseBound:
    """Return the least H(X_1), H(Z_1) or H(Z_[K]) that Shannon's inequalities allow.

    A second program finds, among the dual solutions of the optimal value, one of least total
    weight: short certificates.

    Raises
    ------
    ValueError
        When the objective is unknown, or the solver does not reach an optimum.
    """
    cost = _cost(program, objective)
    value = converse_value(program, objective)
    count, prices = program.inequalities.shape[0], len(program.values)
    weight = np.concatenate([np.ones(count), np.zeros(prices)])
    price_row = csr_array(np.concatenate([np.zeros(count), program.values])[None])
    dual: Any = vstack([hstack([program.inequalities.T, program.equality_matrix.T]), price_row])
    whole = round(value * 12) / 12  # the solver's last digits, not the theorem's
    target = whole if abs(whole - value) < 1e-6 else value - 1e-7
    found = linprog(
        weight,
        A_eq=dual.tocsc(),
        b_eq=np.concatenate([cost, [target]]),
        bounds=[(0, None)] * count + [(None, None)] * prices,
        method="highs-ipm",
    )
    if found.x is None:
        raise ValueError(f"no dual of value {target} for {objective}: {found.message}")
    rows = np.flatnonzero(found.x[:count] > 1e-9)
    return ConverseBound(program, objective, value, rows, found.x[:count][rows], found.x[count:])


def converse_value(program: ConverseProgram, objective: Objective) -> float:
    """Return the optimum alone, in floating point, without what a proof needs.

    Most inequalities never bind, so the program starts from a random few and takes in the violated
    ones until there are none. Raises ``ValueError`` when the solver does not reach an optimum.
    """
    count, unknowns = program.inequalities.shape
    cost = _cost(program, objective)
    rng = np.random.default_rng(0)  # which inequalities come first changes no optimum
    active = np.zeros(count, dtype=bool)
    active[rng.choice(count, min(count, 2 * unknowns), replace=False)] = True
    while True:
        solved = linprog(
            cost,
            A_ub=-program.inequalities[active],
            b_ub=np.zeros(active.sum()),
            A_eq=program.equality_matrix,
            b_eq=program.values,
            bounds=(0, 3 * program.space.problem.users),
            method="highs-ipm",
        )
        if solved.x is None:
            raise ValueError(f"the converse program has no optimum: {solved.message}")
        slack = program.inequalities @ solved.x
        slack[active] = 0.0
        violated = np.flatnonzero(slack < -1e-7)
        if len(violated) == 0:
            return float(solved.fun)
        active[violated[np.argsort(slack[violated])[:unknowns]]] = True


def _cost(program: ConverseProgram, objective: Objective) -> Float[np.ndarray, " u"]:
    cost = np.zeros(program.inequalities.shape[1])
    cost[program.space.unknown[objective_set(program.space.problem, objective)]] = 1.0
    return cost
