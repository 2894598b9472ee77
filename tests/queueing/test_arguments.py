"""Arguments of other kinds: the same answer where they mean the same, else refused by name."""

from collections.abc import Callable

import numpy as np
import pytest

from quire.queueing import (
    Costs,
    Farm,
    Site,
    Static,
    admission_control,
    cost_bounds,
    decisions_of,
    discrete_problem,
    dual_costs,
    erlang_c,
    evaluate,
    evaluate_decisions,
    floor_policy,
    free_cancel_model,
    lower_hull,
    machine_replacement,
    modified_policy_iteration,
    points,
    policy_iteration,
    random_points,
    relative_value_iteration,
    spare_policy,
    tune_delayed_off,
)

pytestmark = pytest.mark.usefixtures("unchecked_types")

FARM, COSTS = Farm(2.0, 0.5, 4), Costs(allocation=0.5)
MODEL = free_cancel_model(FARM, COSTS, 14)
TAKEN = decisions_of(MODEL, Static(4))
CHAIN = discrete_problem(*machine_replacement())
BATCH = points(2, 0.5, np.array([0.5]), 2.0)


def test_small_integers_do_not_overflow() -> None:
    small = free_cancel_model(FARM, COSTS, np.int8(14))
    assert np.array_equal(small.choice, MODEL.choice)
    assert erlang_c(np.int8(100), np.int8(90)) == erlang_c(100, 90.0)


def test_single_precision_is_widened_before_arithmetic() -> None:
    load = np.float32(0.7)
    assert erlang_c(3, load) == erlang_c(3, float(load))
    one = admission_control(np.float32(1.3), 5.0, 1.0, 10)
    other = admission_control(float(np.float32(1.3)), 5.0, 1.0, 10)
    assert np.array_equal(one.rates.toarray(), other.rates.toarray())


def test_lists_and_iterators_are_taken() -> None:
    assert evaluate_decisions(MODEL, TAKEN.tolist()) == evaluate_decisions(MODEL, TAKEN)
    start = np.arange(6)
    for solve in (modified_policy_iteration, relative_value_iteration):
        assert (
            solve(CHAIN, start=start.tolist()).cost == solve(CHAIN, start=start.astype(float)).cost
        )
    assert start.tolist() == list(range(6))
    found = random_points(3, iter([2, 3]), 1)
    assert [len(part) for part in found] == [len(part) for part in random_points(3, [2, 3], 1)]
    assert lower_hull([0, 1, 2, 3], [3, 1, 2, 0]).tolist() == [0, 1, 3]


def test_a_decision_of_another_state_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^taken = -1 in state 0: must lie from 0 to "):
        evaluate_decisions(MODEL, np.full_like(TAKEN, -1))
    with pytest.raises(ValueError, match=r"^taken = 0 in state 1: must lie from "):
        evaluate_decisions(MODEL, np.zeros_like(TAKEN))
    with pytest.raises(ValueError, match=r"^start = 0 in state 1: must lie from 2 to 3"):
        policy_iteration(CHAIN, start=np.zeros(6, int))


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: evaluate_decisions(MODEL, TAKEN[:-1]), "taken"),
        (lambda: evaluate_decisions(MODEL, TAKEN.astype(float)), "taken"),
        (lambda: evaluate_decisions(None, TAKEN), "model"),
        (lambda: evaluate(MODEL, "static"), "policy"),
        (lambda: policy_iteration(None), "model"),
        (lambda: policy_iteration(CHAIN, start=np.zeros(5, int)), "start"),
        (lambda: relative_value_iteration(CHAIN, start=np.full(6, np.nan)), "start"),
        (lambda: modified_policy_iteration(CHAIN, start=np.zeros(5)), "start"),
        (lambda: cost_bounds(CHAIN, np.full(6, np.nan)), "values"),
        (lambda: cost_bounds(CHAIN, np.zeros(5)), "values"),
        (lambda: cost_bounds(None, np.zeros(6)), "model"),
        (lambda: discrete_problem([[["1"]]], [[0.0]]), "transitions"),
        (lambda: discrete_problem([[[1.0]]], [["0"]]), "costs"),
        (lambda: lower_hull([0.0, np.nan], [1.0, 0.0]), "x"),
        (lambda: lower_hull([0.0, 1.0], [1.0]), "y"),
        (lambda: spare_policy(1.5), "spare"),
        (lambda: spare_policy(None), "spare"),
        (lambda: floor_policy(1).targets(None, 5), "farm"),
        (lambda: floor_policy(1).targets(FARM, -1), "levels"),
        (lambda: floor_policy(1).targets(FARM, 2.5), "levels"),
        (lambda: Site(None, Static(2)), "farm"),
        (lambda: Site(FARM, 2), "policy"),
        (lambda: random_points(3, 2, 1), "servers"),
        (lambda: dual_costs(None, [[2.0]], [[0.5]]), "batch"),
        (lambda: dual_costs(BATCH, [[np.nan]], [[0.5]]), "up"),
        (lambda: dual_costs(BATCH, [[2.0]], [[np.nan]]), "down"),
        (lambda: dual_costs(BATCH, [[2.0]], [[0.5, 0.5]]), "up"),
        (lambda: tune_delayed_off(BATCH, 0), "rates"),
        (lambda: tune_delayed_off(BATCH, 2.5), "rates"),
    ],
)
def test_another_kind_of_argument_is_refused_by_name(call: Callable[[], object], name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}\\b"):
        call()
