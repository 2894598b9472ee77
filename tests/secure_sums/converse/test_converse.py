from dataclasses import replace
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest

from quire.secure_sums import (
    OBJECTIVES,
    AggregationProblem,
    aggregation_model,
    converse_bound,
    converse_program,
    converse_value,
    elemental_inequalities,
    entropy_space,
    everyone_wants_everything,
    exact_proof,
    groupwise_key_rate,
    groupwise_model,
    named_graph,
    neighbourhood_sums,
    optimal_region,
    prove_converse,
    rank,
    ring,
    verify,
    zero_sum_protocol,
)
from quire.secure_sums.converse.entropy_space import canonical, closures, symmetric
from quire.secure_sums.converse.hand_proof import least_graph_key
from quire.secure_sums.converse.programs import converse_values, first_inequalities
from quire.secure_sums.converse.proofs import rational_solution


def least_rates(users: int, sizes: list[int]) -> list[float]:
    """Least R_X and R_Z of the first user, and least R_ZΣ, in floating point."""
    program = converse_program(aggregation_model(everyone_wants_everything(users, sizes), 0))
    return [converse_value(program, objective) for objective in OBJECTIVES]


@pytest.mark.parametrize(
    ("users", "unknowns", "inequalities"), [(3, 126, 1237), (4, 348, 4918), (5, 812, 14662)]
)
def test_sizes_after_closure_and_symmetry(users: int, unknowns: int, inequalities: int) -> None:
    space = entropy_space(aggregation_model(everyone_wants_everything(users, [0])))
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


@pytest.mark.parametrize("user", [1, 2])
def test_the_bound_is_each_users_own_and_not_an_average(user: int) -> None:
    problem = everyone_wants_everything(3, [0])
    for objective in ("message", "key"):
        proof = prove_converse(problem, objective, user)
        assert proof.bound == 1 and verify(proof)
    averaged = aggregation_model(problem)
    with pytest.raises(ValueError, match="objective = 'message'"):
        converse_value(converse_program(averaged), "message")
    # minimising one user's key while exchanging all users would not be a proof
    wrong = replace(aggregation_model(problem, 1), alike=averaged.alike, symmetries=())
    assert not symmetric(wrong, "message")


def test_a_fractional_optimum_is_not_floored() -> None:
    """Nobody alone may learn of user 0's input: half a symbol a user is enough, and needed."""
    nobody = tuple((u, ()) for u in (1, 2, 3))
    whole = everyone_wants_everything(4, [0])
    problem = AggregationProblem(whole.hears, whole.wants, nobody, protects=(0,))
    proof = prove_converse(problem, "total key")
    assert proof.bound == Fraction(3, 2) and verify(proof)


@pytest.mark.parametrize(("users", "group", "least"), [(3, 1, 1), (4, 1, 2), (4, 4, 2)])
def test_groups_of_one_and_of_all_leak_for_every_protocol(
    users: int, group: int, least: int
) -> None:
    model = groupwise_model(users, group)
    proof = exact_proof(converse_bound(converse_program(model), "leak 0"))
    assert proof.bound == least * users and verify(proof)


def test_the_group_key_rate_is_the_least_there_is() -> None:
    program = converse_program(groupwise_model(4, 3, [0]))
    each = exact_proof(converse_bound(program, "group key")).bound / 4
    assert each == groupwise_key_rate(4, 0, 3) == 2


def test_five_users_need_four_key_symbols() -> None:
    proof = prove_converse(everyone_wants_everything(5, [0]), "total key")
    assert proof.bound == 4 and verify(proof)


@pytest.mark.parametrize("users", [3, 4])
def test_security_against_all_but_one_alone_asks_for_no_key(users: int) -> None:
    bounds = least_rates(users, [users - 2])
    assert bounds == pytest.approx([1, 0, 0], abs=1e-6)


def test_one_level_of_collusion_already_forces_the_region() -> None:
    bounds = least_rates(4, [1])
    assert bounds == pytest.approx([1, 1, 3], abs=1e-6)


def test_a_ring_needs_as_many_key_symbols_as_neighbours() -> None:
    assert prove_converse(neighbourhood_sums(ring(4)), "total key").bound == 2


def test_the_scheme_satisfies_every_inequality_and_equality() -> None:
    """The optimal scheme's own entropies are a feasible point, so no bound can exceed its rates."""
    model = aggregation_model(everyone_wants_everything(4, range(2)), 0)
    program = converse_program(model)
    protocol = zero_sum_protocol(4, 3)
    parts = np.stack([protocol.inputs, protocol.keys, protocol.messages], axis=1)[:, :, 0]
    rows = np.concatenate([parts.reshape(12, -1), protocol.wanted[0]])
    members = program.space.representatives[:, None] >> np.arange(13) & 1
    entropies = np.array([rank(rows[m.astype(bool)], 3) for m in members], dtype=float)
    assert (program.inequalities @ entropies).min() >= 0
    assert (program.equality_matrix @ entropies == program.values).all()
    for objective, rate in zip(OBJECTIVES, (1, 1, 3), strict=True):
        row = program.space.row(model.objectives[objective])
        assert sum(c * entropies[unknown] for unknown, c in row.items()) == rate


def test_closures_are_idempotent_and_growing() -> None:
    model = aggregation_model(neighbourhood_sums(ring(4)))
    sets = np.arange(1 << model.variables)
    closed = closures(model, sets)
    assert (closed & sets == sets).all()
    assert (closures(model, closed) == closed).all()


def test_relabelled_sets_share_an_unknown() -> None:
    model = aggregation_model(everyone_wants_everything(3, [0]))
    assert (canonical(model, np.array([0b001, 0b001000])) == 0b001).all()
    assert len(neighbourhood_sums(ring(4)).symmetries) == 8
    assert all(symmetric(aggregation_model(neighbourhood_sums(ring(4))), o) for o in ["total key"])
    # the shortcut for users that are all alike gives the same orbits as all their permutations
    listed = replace(
        model,
        alike=None,
        symmetries=tuple(
            (*(3 * g[k] + part for k in range(3) for part in range(3)), 9)
            for g in permutations(range(3))
        ),
    )
    sets = np.arange(1 << 10)
    quick, slow = (np.unique(canonical(m, sets), return_inverse=True)[1] for m in (model, listed))
    pairs = {(int(a), int(b)) for a, b in zip(quick, slow, strict=True)}
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def test_a_tampered_proof_is_refused() -> None:
    proof = prove_converse(everyone_wants_everything(3, [0]), "total key")
    first = proof.inequalities[0]
    wrong_weight = replace(first, weight=first.weight + Fraction(1, 7))
    negative = tuple(replace(s, weight=-s.weight) for s in proof.inequalities)
    assert not verify(replace(proof, bound=proof.bound + 1))
    assert not verify(replace(proof, inequalities=(wrong_weight, *proof.inequalities[1:])))
    assert not verify(replace(proof, inequalities=negative))
    weaker = replace(proof, model=aggregation_model(everyone_wants_everything(3, [1])))
    assert not verify(weaker)
    outside = replace(first, first=-1)
    assert not verify(replace(proof, inequalities=(outside, *proof.inequalities[1:])))
    assert not verify(replace(proof, objective="message"))


def test_rational_systems_are_solved_exactly() -> None:
    matrix = np.array([[2, 1], [1, 3], [3, 4]])
    assert rational_solution(matrix, np.array([1, 2, 3])) == [Fraction(1, 5), Fraction(3, 5)]
    with pytest.raises(ArithmeticError, match="no solution"):
        rational_solution(matrix, np.array([1, 2, 4]))


def test_impossible_graphs_and_objectives_are_refused() -> None:
    with pytest.raises(ValueError, match="too many joint entropies"):
        entropy_space(aggregation_model(neighbourhood_sums(ring(6))))
    with pytest.raises(ValueError, match="no neighbour"):
        neighbourhood_sums(np.zeros((3, 3), dtype=bool))
    with pytest.raises(ValueError, match="symmetric"):
        neighbourhood_sums(np.triu(np.ones((3, 3), dtype=bool)))


@pytest.mark.parametrize("name", ["path3", "star4"])
def test_the_proof_by_hand_on_a_graph_is_no_more_than_the_program_allows(name: str) -> None:
    graph = named_graph(name)
    program = converse_program(aggregation_model(neighbourhood_sums(graph)))
    assert least_graph_key(graph) <= converse_value(program, "total key") + 1e-6


def test_the_proof_by_hand_on_graphs_of_any_size() -> None:
    found = [least_graph_key(named_graph(n)) for n in ("path3", "star4", "ring9", "prism20")]
    assert found == [1, 2, 2, 3]
    with pytest.raises(ValueError, match="no neighbour"):
        least_graph_key(np.zeros((3, 3), dtype=bool))


@pytest.mark.slow
def test_five_users_have_a_short_exact_proof() -> None:
    proof = prove_converse(everyone_wants_everything(5, [0]), "key")
    assert proof.bound == 1 and verify(proof)
    assert len(proof.inequalities) < 400  # of 59,809


def test_objectives_that_share_what_they_met_have_the_same_optima() -> None:
    program = converse_program(aggregation_model(everyone_wants_everything(3, [0]), 0))
    shared = converse_values(program, OBJECTIVES)
    assert shared == pytest.approx([converse_value(program, goal) for goal in OBJECTIVES])
    met = first_inequalities(program)
    before = met.copy()
    found = [exact_proof(converse_bound(program, goal, met)) for goal in OBJECTIVES]
    assert [proof.bound for proof in found] == [1, 1, 2] and all(map(verify, found))
    assert met[before].all() and met.sum() > before.sum()
