"""Exact proofs of the converse: the program's dual in fractions, checked without the solver.

A dual solution is a proof: objective = bound + Σ λ·(an elemental inequality's left side) + Σ μ·(an
equality's residual), with λ >= 0, as an identity between formal sums of joint entropies. The
floating-point solver only says *which* inequalities to use; their multipliers are then solved for
exactly, and every coefficient of the identity is compared as a fraction.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

import numpy as np
from jaxtyping import Int

from quire.secure_sums.converse.entropy_space import (
    EntropyModel,
    EntropySpace,
    Equality,
    entropy_space,
    symmetric,
)
from quire.secure_sums.converse.models import Objective, aggregation_model
from quire.secure_sums.converse.programs import ConverseBound, converse_bound, converse_program
from quire.secure_sums.problems import AggregationProblem
from quire.signatures import checked

PRIMES = (2147483647, 2147483629, 2147483587, 2147483579, 2147483563, 2147483549)


@dataclass(frozen=True)
class ElementalStep:
    """``weight``·(H(A∪i) + H(A∪j) - H(A∪ij) - H(A)); for i = j, ``weight``·(H(full) - H(A))."""

    context: int
    first: int
    second: int
    weight: Fraction

    def terms(self) -> dict[int, int]:
        """Return the coefficients of the joint entropies, for weight one."""
        i, j = 1 << self.first, 1 << self.second
        if self.first == self.second:
            return {self.context | i: 1, self.context: -1}
        a = self.context
        return {a | i: 1, a | j: 1, a | i | j: -1, a: -1}

    def text(self, model: EntropyModel) -> str:
        """Return the inequality in words of information theory."""
        i, j = 1 << self.first, 1 << self.second
        if i == j:
            return f"H({model.label(i)} | all others) >= 0"
        given = f" | {model.label(self.context)}" if self.context else ""
        return f"I({model.label(i)}; {model.label(j)}{given}) >= 0"


@dataclass(frozen=True)
class EqualityStep:
    """``weight``·(Σ terms - value) of one of the model's equalities."""

    equality: Equality
    weight: Fraction

    def text(self, model: EntropyModel) -> str:
        """Return the equality as a sum of joint entropies."""
        parts = []
        for subset, c in self.equality.terms.items():
            sign = "-" if c < 0 else "+"
            parts.append(f"{sign} {'' if abs(c) == 1 else abs(c)}H({model.label(subset)})")
        return f"{' '.join(parts).removeprefix('+ ')} = {self.equality.value}"


@dataclass(frozen=True)
class ConverseProof:
    """An exact proof that the objective is at least ``bound`` for every protocol of the model."""

    model: EntropyModel
    objective: str
    bound: Fraction
    inequalities: tuple[ElementalStep, ...]
    equalities: tuple[EqualityStep, ...]

    @property
    def largest_denominator(self) -> int:
        """The largest denominator among all multipliers."""
        weights = [step.weight for step in self.inequalities]
        weights += [step.weight for step in self.equalities]
        return max((weight.denominator for weight in weights), default=1)


@checked
def prove_converse(
    problem: AggregationProblem, objective: Objective, user: int = 0
) -> ConverseProof:
    """Return the exact, verified least message or key of one user, or total key, of a problem.

    Parameters
    ----------
    problem
        Who hears whom, who wants what, who may collude.
    objective
        "message", "key" or "total key".
    user
        Whose message or key: the bound is this user's own, and not an average over users.

    Raises
    ------
    ValueError
        When the objective is unknown, or the problem has too many variables.
    ArithmeticError
        When the solver's basis has no exact non-negative solution of that value (never seen for
        the problems of this package); a bound is then not proved.
    """
    model = aggregation_model(problem, None if objective == "total key" else user)
    return exact_proof(converse_bound(converse_program(model), objective))


@checked
def exact_proof(found: ConverseBound) -> ConverseProof:
    """Turn a floating-point dual into fractions and check every coefficient of the identity.

    Raises
    ------
    ArithmeticError
        When no exact dual with these inequalities exists.
    """
    program = found.program
    model = program.space.model
    priced = np.flatnonzero(np.abs(found.prices) > 1e-9)
    matrix = np.concatenate(
        [
            program.inequalities[found.rows].toarray(),
            program.equality_matrix[priced].toarray(),
        ]
    ).T.astype(np.int64)
    right = np.zeros(matrix.shape[0], dtype=np.int64)
    for unknown, coefficient in program.space.row(model.objectives[found.objective]).items():
        right[unknown] = coefficient
    weights = rational_solution(matrix, right)
    split = len(found.rows)
    proof = ConverseProof(
        model=model,
        objective=found.objective,
        bound=sum(
            (w * program.equalities[e].value for e, w in zip(priced, weights[split:], strict=True)),
            start=Fraction(0),
        ),
        inequalities=tuple(
            ElementalStep(int(names[0]), int(names[1]), int(names[2]), w)
            for names, w in zip(program.names[found.rows], weights[:split], strict=True)
            if w
        ),
        equalities=tuple(
            EqualityStep(program.equalities[e], w)
            for e, w in zip(priced, weights[split:], strict=True)
            if w
        ),
    )
    if not verify(proof, program.space):
        raise ArithmeticError(f"the dual for {found.objective} is not exact; nothing was proved")
    return proof


@checked
def verify(proof: ConverseProof, space: EntropySpace | None = None) -> bool:
    """Return whether the proof's identity holds exactly and uses only what the model grants.

    The symmetries by which sets share an unknown are checked too: they must leave the model and
    the objective as they are.
    """
    model = proof.model
    if proof.objective not in model.objectives or not symmetric(model, proof.objective):
        return False
    space = entropy_space(model) if space is None else space
    granted = {e.name: e for e in model.equalities}
    residual: dict[int, Fraction] = defaultdict(Fraction)
    for i, c in space.row(model.objectives[proof.objective]).items():
        residual[i] += c
    constant = Fraction(0)
    for step in proof.inequalities:
        if step.weight < 0 or not _is_elemental(step, model.variables):
            return False
        for i, c in space.row(step.terms()).items():
            residual[i] -= step.weight * c
    for priced in proof.equalities:
        if granted.get(priced.equality.name) != priced.equality:
            return False
        constant += priced.weight * priced.equality.value
        for i, c in space.row(priced.equality.terms).items():
            residual[i] -= priced.weight * c
    return constant == proof.bound and not any(residual.values())


def _is_elemental(step: ElementalStep, variables: int) -> bool:
    if not (min(step.first, step.second) >= 0 and max(step.first, step.second) < variables):
        return False
    i, j = 1 << step.first, 1 << step.second
    outside = step.context >= 0 and not step.context & (i | j)
    if step.first == step.second:
        return outside and step.context | i == (1 << variables) - 1
    return outside and step.context >> variables == 0


def rational_solution(
    matrix: Int[np.ndarray, "r c"], right: Int[np.ndarray, " r"]
) -> list[Fraction]:
    """Return one exact solution of an integer system, free unknowns zero.

    Solved modulo primes and lifted by the Chinese remainder theorem until the reconstructed
    fractions satisfy every equation exactly.

    Raises
    ------
    ArithmeticError
        When no solution has numerators and denominators below 2**92.
    """
    residues: list[Int[np.ndarray, " c"]] = []
    modulus, combined = 1, [0] * matrix.shape[1]
    for prime in PRIMES:
        residues.append(_solve_modulo(matrix, right, prime))
        inverse = pow(modulus, -1, prime)
        combined = [
            old + modulus * ((int(new) - old) * inverse % prime)
            for old, new in zip(combined, residues[-1], strict=True)
        ]
        modulus *= prime
        candidate = [_reconstruct(value, modulus) for value in combined]
        if None not in candidate:
            solution = [value for value in candidate if value is not None]
            if _solves(matrix, solution, right):
                return solution
    raise ArithmeticError("the system has no solution in fractions of this size")


def _solve_modulo(
    matrix: Int[np.ndarray, "r c"], right: Int[np.ndarray, " r"], prime: int
) -> Int[np.ndarray, " c"]:
    work = np.concatenate([matrix, right[:, None]], axis=1) % prime
    pivots: list[int] = []
    for column in range(matrix.shape[1]):
        row = len(pivots)
        below = np.flatnonzero(work[row:, column])
        if len(below) == 0:
            continue
        work[[row, row + below[0]]] = work[[row + below[0], row]]
        work[row] = work[row] * pow(int(work[row, column]), -1, prime) % prime
        others = np.flatnonzero(work[:, column])
        others = others[others != row]
        work[others] = (work[others] - work[others, column, None] * work[row] % prime) % prime
        pivots.append(column)
    solution = np.zeros(matrix.shape[1], dtype=np.int64)
    solution[pivots] = work[: len(pivots), -1]
    return solution


def _reconstruct(value: int, modulus: int) -> Fraction | None:
    """Return the fraction a/b with small a, b and a = value·b modulo the modulus."""
    limit = isqrt(modulus // 2)
    old, new, s_old, s_new = modulus, value % modulus, 0, 1
    while new > limit:
        quotient = old // new
        old, new = new, old - quotient * new
        s_old, s_new = s_new, s_old - quotient * s_new
    return None if s_new == 0 or abs(s_new) > limit else Fraction(new, s_new)


def _solves(
    matrix: Int[np.ndarray, "r c"], solution: list[Fraction], right: Int[np.ndarray, " r"]
) -> bool:
    sums = [Fraction(-int(b)) for b in right]
    for row, column in zip(*np.nonzero(matrix), strict=True):
        sums[row] += int(matrix[row, column]) * solution[column]
    return not any(sums)
