"""What no protocol can beat: least rates by linear programs, with exact proofs."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Bool

from quire.secure_sums.closed_forms import optimal_region
from quire.secure_sums.converse.entropy_space import elemental_inequalities, entropy_space
from quire.secure_sums.converse.models import OBJECTIVES, Objective, aggregation_model
from quire.secure_sums.converse.programs import (
    ConverseProgram,
    converse_bound,
    converse_program,
    converse_values,
    first_inequalities,
)
from quire.secure_sums.converse.proofs import ConverseProof, exact_proof, verify
from quire.secure_sums.problems import everyone_wants_everything


@dataclass(frozen=True)
class ProgramSize:
    """How large the linear program of K users is before and after its reductions."""

    users: int
    joint_entropies: int
    unknowns: int
    unknowns_one_user: int
    inequalities: int


def sizes_of_programs(users: Iterable[int]) -> list[ProgramSize]:
    """Return the sizes for the total key, where all users may be exchanged, and for one user."""
    rows = []
    for count in users:
        problem = everyone_wants_everything(count, [0])
        space, one = (entropy_space(aggregation_model(problem, user)) for user in (None, 0))
        rows.append(
            ProgramSize(
                users=count,
                joint_entropies=len(space.unknown) - 1,
                unknowns=len(space.representatives),
                unknowns_one_user=len(one.representatives),
                inequalities=len(elemental_inequalities(space)[0]),
            )
        )
    return rows


@dataclass(frozen=True)
class ProvedRate:
    """One exact proof of a least rate.

    Attributes
    ----------
    users, objective
        K, and what is bounded.
    bound
        The least rate, a fraction, proved for every protocol.
    theorem
        What the theorem says it is.
    verified
        Whether the proof was added up again, independently of its making.
    inequalities, equalities, denominator
        Steps of the proof, and its largest denominator.
    seconds, processor_seconds
        Of assembling, solving and proving: by the clock, and of the processor. The first of message
        and key assembles the program of both.
    proof
        The proof itself.
    """

    users: int
    objective: Objective
    bound: Fraction
    theorem: Fraction
    verified: bool
    inequalities: int
    equalities: int
    denominator: int
    seconds: float
    processor_seconds: float
    proof: ConverseProof


def proved_rates(
    users: Iterable[int], objectives: Iterable[Objective] = OBJECTIVES
) -> list[ProvedRate]:
    """Prove the least rates for each K: message and key of one user, and total key of all."""
    rows = []
    wanted = tuple(objectives)
    for count in users:
        region = optimal_region(count)
        least = dict(zip(OBJECTIVES, (region.message, region.key, region.total_key), strict=True))
        programs: dict[int | None, tuple[ConverseProgram, Bool[np.ndarray, " m"]]] = {}
        for objective in wanted:
            clock, processor = time.perf_counter(), time.process_time()
            user = None if objective == "total key" else 0
            if user not in programs:  # message and key have one in common
                model = aggregation_model(everyone_wants_everything(count, [0]), user)
                program = converse_program(model)
                programs[user] = program, first_inequalities(program)
            program, met = programs[user]
            proof = exact_proof(converse_bound(program, objective, met))
            seconds, spent = time.perf_counter() - clock, time.process_time() - processor
            rows.append(
                ProvedRate(
                    users=count,
                    objective=objective,
                    bound=proof.bound,
                    theorem=least[objective],
                    verified=verify(proof),
                    inequalities=len(proof.inequalities),
                    equalities=len(proof.equalities),
                    denominator=proof.largest_denominator,
                    seconds=seconds,
                    processor_seconds=spent,
                    proof=proof,
                )
            )
    return rows


def ratios(rows: Iterable[ProvedRate]) -> list[float]:
    """Return the smallest and the largest proved rate over the theorem's; [1, 1] is agreement.

    The fractions are compared as fractions: 3/2 is no 1.

    Raises
    ------
    ArithmeticError
        When a proof did not verify.
    """
    listed = list(rows)
    if not all(row.verified for row in listed):
        raise ArithmeticError("a proof does not add up")
    found = [row.bound / row.theorem for row in listed]
    return [float(min(found)), float(max(found))]


@dataclass(frozen=True)
class Vacuity:
    """Least rates when security is asked against coalitions with these numbers of colluders."""

    users: int
    against: str
    message: float
    key: float
    total_key: float

    @property
    def rates(self) -> list[float]:
        """The three rates."""
        return [self.message, self.key, self.total_key]


def collusion_levels(users: int, levels: Iterable[tuple[int, ...]]) -> list[Vacuity]:
    """Return the least rates of one user, and in total, for each set of numbers of colluders."""
    rows = []
    for sizes in levels:
        problem = everyone_wants_everything(users, sizes)
        program = converse_program(aggregation_model(problem, user=0))
        values = [round(value, 5) + 0.0 for value in converse_values(program, OBJECTIVES)]
        listed = ", ".join(map(str, sizes[:-1]))
        told = f"{listed} or {sizes[-1]}" if listed else f"exactly {sizes[-1]}"
        rows.append(Vacuity(users, told, *values))
    return rows


def threshold_bounds(one_user: Iterable[int], total: Iterable[int]) -> list[Vacuity]:
    """Return the least rates at the largest threshold T = K-3, for each K.

    A larger threshold asks for more, so its optimum is no smaller: if the one at T = K-3 is that of
    T = 0, those in between are, too. For K in ``one_user`` message and key are one user's own; for
    K in ``total`` alone they are left out (NaN), and all symmetries are used.
    """
    own = set(one_user)
    rows = []
    for count in sorted(own | set(total)):
        problem = everyone_wants_everything(count, range(count - 2))
        program = converse_program(aggregation_model(problem, user=0 if count in own else None))
        goals: tuple[Objective, ...] = OBJECTIVES if count in own else ("total key",)
        found = converse_values(program, goals)
        values = {goal: round(x, 5) + 0.0 for goal, x in zip(goals, found, strict=True)}
        told = f"up to {count - 3}"
        rates = (values.get(goal, float("nan")) for goal in OBJECTIVES)
        rows.append(Vacuity(count, told, *rates))
    return rows


def over_the_theorem(rows: Iterable[Vacuity]) -> list[float]:
    """Return the smallest and the largest rate over the theorem's; absent ones are left out."""
    found = []
    for row in rows:
        found.append(row.total_key / (row.users - 1))
        found += [rate for rate in (row.message, row.key) if not math.isnan(rate)]
    return [min(found), max(found)]
