"""Values at the edges: zero durations, wrong orders, limits that are no numbers."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.pipeline import (
    Chain,
    InfeasibleMemory,
    ListScheduler,
    PrefixEmulator,
    Rules,
    ScheduleDeadlock,
    assemble,
    emulate,
    emulate_ranks,
    gpipe,
    list_schedule,
    lower_bound,
    makespans,
    one_f_one_b,
    solve_exactly,
    staged_program,
    topological_order,
    uniform_program,
    violations,
    zb_1p,
    zero_bubble,
)


def optimum(program, limit=None):
    """Makespan of the best of all rank orders within the limit, by enumeration."""
    ranks = [np.flatnonzero(program.rank == r) for r in range(program.ranks)]
    best = np.inf
    for orders in itertools.product(*(itertools.permutations(own) for own in ranks)):
        try:
            schedule = emulate_ranks(program, [np.array(order) for order in orders])
        except ScheduleDeadlock:
            continue
        if schedule.makespan < best and not violations(schedule, limit):
            best = schedule.makespan
    return best


def two_by_two(forward, backward):
    forward, backward = np.array(forward, float), np.array(backward, float)
    return staged_program(forward, backward, np.zeros((2, 2)), 2)


TIMES = st.lists(st.integers(0, 2), min_size=8, max_size=8)


@settings(max_examples=25)
@given(TIMES, st.sampled_from([None, 1.0, 2.0]))
def test_the_solver_is_exact_where_operations_last_no_time(times, room):
    pytest.importorskip("ortools")
    program = two_by_two(*np.array(times).reshape(2, 2, 2))
    limit = None if room is None else np.full(2, room)
    hint = list_schedule(program, None, Rules(memory_limit=limit))
    found = solve_exactly(program, hint, seconds=20.0, workers=1, memory_limit=limit)
    assert found.certified
    assert violations(found.schedule, limit) == []
    assert found.schedule.makespan == found.bound == optimum(program, limit)


@pytest.mark.parametrize(
    ("forward", "backward", "room"),
    [
        ([[2, 2], [0, 2]], [[2, 0], [0, 1]], None),
        ([[1, 2], [2, 0]], [[0, 2], [0, 2]], 1.0),
    ],
)
def test_zero_durations_that_once_gave_a_wrong_proof(forward, backward, room):
    pytest.importorskip("ortools")
    program = two_by_two(forward, backward)
    limit = None if room is None else np.full(2, room)
    hint = list_schedule(program, None, Rules(memory_limit=limit))
    found = solve_exactly(program, hint, workers=1, memory_limit=limit)
    assert found.certified
    assert found.schedule.makespan == found.bound == optimum(program, limit)
    assert violations(found.schedule, limit) == []


def test_a_hint_must_be_valid_here():
    pytest.importorskip("ortools")
    program, other = uniform_program(2, 2, 1.0, 1.0), uniform_program(2, 2, 5.0, 1.0)
    with pytest.raises(ValueError, match="hint"):
        solve_exactly(other, list_schedule(program))
    with pytest.raises(ValueError, match="exceeds its memory limit"):
        solve_exactly(program, gpipe(program), memory_limit=np.ones(2))


ORDERS = [
    ("reversed", lambda n: np.arange(n)[::-1]),
    ("beyond the operations", lambda n: np.arange(n) + 3),
    ("negative", lambda n: np.arange(n) - 1),
    ("repeated", lambda n: np.zeros(n, dtype=int)),
    ("short", lambda n: np.arange(n - 1)),
]


@pytest.mark.parametrize("make", [o[1] for o in ORDERS], ids=[o[0] for o in ORDERS])
def test_an_order_that_cannot_be_run_is_refused(make):
    program = uniform_program(2, 2, 1.0, 1.0)
    order, right = make(program.operations), np.arange(program.operations)
    with pytest.raises(ValueError, match="order"):
        emulate(program, order)
    with pytest.raises(ValueError, match="order"):
        makespans(program, order[None, :], threads=2)
    prefix = PrefixEmulator(program, stride=2)
    with pytest.raises(ValueError, match="order"):
        prefix.ends(order)
    expected = emulate(program, right).end
    np.testing.assert_array_equal(prefix.ends(right), expected)
    with pytest.raises(ValueError, match="order"):
        prefix.ends(order)
    np.testing.assert_array_equal(prefix.ends(right), expected)


def test_makespans_take_small_integers_and_name_the_wrong_row():
    program = uniform_program(2, 2, 1.0, 1.0)
    right = list_schedule(program).order
    orders = np.stack([right, right[::-1], right])
    with pytest.raises(ValueError, match=r"order\[0\]"):
        makespans(program, orders.astype(np.int32), threads=3)
    least = makespans(program, orders[[0, 2]].astype(np.int16))
    assert least.tolist() == [emulate(program, right).makespan] * 2


def test_a_microbatch_without_weight_gradients_beside_one_with():
    ones = np.ones((2, 2))
    program = staged_program(ones, ones, np.array([[1.0, 1.0], [0.0, 0.0]]), 2)
    for schedule in (one_f_one_b(program), gpipe(program), zb_1p(program)):
        assert violations(schedule) == []


@pytest.mark.parametrize("room", [4.0, 5.0, 6.0, 8.0, 12.0])
def test_zero_bubble_fits_wherever_one_microbatch_does(room):
    for chunks, placement in ((1, "loop"), (2, "v")):
        program = uniform_program(
            4, 6, 1.0, 1.0, 1.0, chunks=chunks, memory=4.0 / chunks, placement=placement
        )
        limit = np.full(4, room)
        assert violations(zero_bubble(program, limit, iterations=50), limit) == []


def test_memory_that_is_not_kept_needs_no_limit():
    program = uniform_program(2, 4, 1.0, 1.0, 1.0, memory=0.0)
    free = zb_1p(program)
    assert violations(free, np.zeros(2)) == []
    assert free.makespan <= zb_1p(uniform_program(2, 4, 1.0, 1.0, 1.0)).makespan


@pytest.mark.parametrize("limit", [[np.nan, 4.0], [np.inf, np.inf], [-1.0, 4.0], [4.0], []])
def test_a_limit_is_a_finite_number_per_rank(limit):
    program = uniform_program(2, 4, 1.0, 1.0, 1.0)
    for call in (
        lambda: ListScheduler(program, Rules(memory_limit=np.array(limit))),
        lambda: zero_bubble(program, np.array(limit)),
        lambda: lower_bound(program, np.array(limit)),
        lambda: violations(gpipe(program), np.array(limit)),
        lambda: solve_exactly(program, gpipe(program), memory_limit=np.array(limit)),
    ):
        with pytest.raises(ValueError, match="memory_limit"):
            call()


def test_a_limit_below_one_microbatch_says_so():
    with pytest.raises(InfeasibleMemory, match=r"memory_limit\[0\] = 1: one microbatch needs 2"):
        zb_1p_limit = np.ones(2)
        zero_bubble(uniform_program(2, 4, 1.0, 1.0, 1.0, memory=2.0), zb_1p_limit)


@pytest.mark.parametrize("hop", [np.inf, np.nan, -1.0])
def test_hops_are_finite(hop):
    with pytest.raises(ValueError, match="hop of chain 0"):
        uniform_program(2, 2, 1.0, 1.0, hop=hop)


def test_chains_are_numbered_by_whole_numbers():
    ones = np.ones(1)
    with pytest.raises(ValueError, match="microbatch of chain 0"):
        assemble([Chain(-1, 0, 0, 0, (0,), ones, ones, 0 * ones, ones)], 1)
    with pytest.raises(ValueError, match="stage of chain 0"):
        assemble([Chain(0, 0, 0, -2, (0,), ones, ones, 0 * ones, ones)], 1)


def test_ties_of_a_topological_order_go_to_the_smaller_number():
    assert topological_order(4, np.array([3]), np.array([0])).tolist() == [1, 2, 3, 0]
    assert topological_order(4, np.array([1]), np.array([0])).tolist() == [1, 0, 2, 3]
    with pytest.raises(ValueError, match="arcs name operations"):
        topological_order(2, np.array([0]), np.array([2]))


@pytest.mark.parametrize("rules", [{"patience": np.nan}, {"patience": -1.0}, {"idle_budget": -1.0}])
def test_rules_are_numbers(rules):
    with pytest.raises(ValueError, match=next(iter(rules))):
        Rules(**rules)


def test_a_key_is_a_permutation():
    scheduler = ListScheduler(uniform_program(2, 2, 1.0, 1.0))
    for key in (np.zeros(8, int), np.arange(8) + 1, np.arange(7)):
        with pytest.raises(ValueError, match="key must be a permutation"):
            scheduler.run(key)
