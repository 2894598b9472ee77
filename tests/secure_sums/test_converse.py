from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from quire.secure_sums import (
    OBJECTIVES,
    converse_bound,
    converse_program,
    elemental_inequalities,
    entropy_space,
    everyone_wants_everything,
    neighbourhood_sums,
    optimal_region,
    prove_converse,
    rank,
    ring,
    verify,
    zero_sum_protocol,
)
from quire.secure_sums.converse import objective_set
from quire.secure_sums.entropy_space import canonical, closures
from quire.secure_sums.proofs import rational_solution


@pytest.mark.parametrize(
    ("users", "unknowns", "inequalities"), [(3, 126, 1237), (4, 348, 4918), (5, 812, 14662)]
)
def test_sizes_after_closure_and_symmetry(users: int, unknowns: int, inequalities: int) -> None:
    space = entropy_space(everyone_wants_everything(users, [0]))
    assert len(space.representatives) == unknowns
    assert len(elemental_inequalities(space)[0]) == inequalities


@pytest.mark.parametrize(("users", "colluders"), [(3, 0), (4, 0), (4, 1)])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_least_rates_are_proved_exactly(users: int, colluders: int, objective: str) -> None:
    proof = prove_converse(everyone_wants_everything(users, range(colluders + 1)), objective)
    region = optimal_region(users, colluders)
    expected = {"message": region.message, "key": region.key, "total key": region.total_key}
    assert proof.bound == expected[objective]
    assert verify(proof)


def test_five_users_need_four_key_symbols() -> None:
    proof = prove_converse(everyone_wants_everything(5, [0]), "total key")
    assert proof.bound == 4 and verify(proof)


@pytest.mark.parametrize("users", [3, 4])
def test_security_against_all_but_one_alone_asks_for_no_key(users: int) -> None:
    program = converse_program(everyone_wants_everything(users, [users - 2]))
    bounds = [converse_bound(program, objective).value for objective in OBJECTIVES]
    assert bounds == pytest.approx([1, 0, 0], abs=1e-6)


def test_one_level_of_collusion_already_forces_the_region() -> None:
    program = converse_program(everyone_wants_everything(4, [1]))
    bounds = [converse_bound(program, objective).value for objective in OBJECTIVES]
    assert bounds == pytest.approx([1, 1, 3], abs=1e-6)


def test_a_ring_needs_as_many_key_symbols_as_neighbours() -> None:
    assert prove_converse(neighbourhood_sums(ring(4)), "total key").bound == 2


def test_the_scheme_satisfies_every_inequality_and_equality() -> None:
    """The optimal scheme's own entropies are a feasible point, so no bound can exceed its rates."""
    program = converse_program(everyone_wants_everything(4, range(2)))
    protocol = zero_sum_protocol(4, 3)
    parts = np.stack([protocol.inputs, protocol.keys, protocol.messages], axis=1)[:, :, 0]
    rows = np.concatenate([parts.reshape(12, -1), protocol.wanted[0]])
    members = program.space.representatives[:, None] >> np.arange(13) & 1
    entropies = np.array([rank(rows[m.astype(bool)], 3) for m in members], dtype=float)
    assert (program.inequalities @ entropies).min() >= 0
    assert (program.equality_matrix @ entropies == program.values).all()
    keys = objective_set(program.space.problem, "total key")
    assert entropies[program.space.unknown[keys]] == 3


def test_closures_are_idempotent_and_growing() -> None:
    problem = neighbourhood_sums(ring(4))
    sets = np.arange(1 << problem.variables)
    closed = closures(problem, sets)
    assert (closed & sets == sets).all()
    assert (closures(problem, closed) == closed).all()


def test_relabelled_sets_share_an_unknown() -> None:
    problem = everyone_wants_everything(3, [0])
    assert (canonical(problem, np.array([0b001, 0b001000])) == 0b001).all()
    assert len(neighbourhood_sums(ring(4)).symmetries) == 8


def test_a_tampered_proof_is_refused() -> None:
    proof = prove_converse(everyone_wants_everything(3, [0]), "total key")
    first = proof.inequalities[0]
    wrong_weight = replace(first, weight=first.weight + Fraction(1, 7))
    negative = tuple(replace(s, weight=-s.weight) for s in proof.inequalities)
    assert not verify(replace(proof, bound=proof.bound + 1))
    assert not verify(replace(proof, inequalities=(wrong_weight, *proof.inequalities[1:])))
    assert not verify(replace(proof, inequalities=negative))
    weaker = replace(proof, problem=everyone_wants_everything(3, [1]))
    assert not verify(weaker)


def test_rational_systems_are_solved_exactly() -> None:
    matrix = np.array([[2, 1], [1, 3], [3, 4]])
    assert rational_solution(matrix, np.array([1, 2, 3])) == [Fraction(1, 5), Fraction(3, 5)]
    with pytest.raises(ArithmeticError, match="no solution"):
        rational_solution(matrix, np.array([1, 2, 4]))


def test_impossible_graphs_and_objectives_are_refused() -> None:
    with pytest.raises(ValueError, match="too many joint entropies"):
        entropy_space(neighbourhood_sums(ring(6)))
    with pytest.raises(ValueError, match="no neighbour"):
        neighbourhood_sums(np.zeros((3, 3), dtype=bool))
    with pytest.raises(ValueError, match="symmetric"):
        neighbourhood_sums(np.triu(np.ones((3, 3), dtype=bool)))
