"""Seconds per farm: batched policy iteration against single solves and against peers."""

import numpy as np
import pytest

import quire.queueing as q
from quire.queueing import peers

LEVELS = 60
pytestmark = pytest.mark.benchmark(group="the optimum of a farm of five servers")
COSTS = q.Costs()


def setup_rates():
    """64 farms of 5 servers that differ in setup; the first is the reference instance."""
    return np.concatenate([[0.2], np.logspace(-1, 1, 63)])


def reference():
    return q.free_cancel_model(q.Farm(2.5, 0.2, 5), COSTS, LEVELS)


def test_ours_batched(benchmark):
    batch = q.points(5, 0.5, setup_rates(), 1.0)
    q.optimum(batch, levels=16)  # compile; 16 free levels and an exact tail
    benchmark.extra_info["items"] = 64  # farms
    found = benchmark(lambda: q.optimum(batch, levels=16))
    assert found.certified.all()
    assert found.cost[0] == pytest.approx(7.011341763, abs=1e-8)


def test_ours_sparse_policy_iteration(benchmark):
    model = reference()
    assert benchmark(lambda: q.policy_iteration(model)).cost == pytest.approx(7.011341763, abs=1e-8)


def test_ours_relative_value_iteration(benchmark):
    model = reference()
    found = benchmark(lambda: q.relative_value_iteration(model))
    assert found.cost == pytest.approx(7.011341763, abs=1e-8)


def test_ours_linear_program(benchmark):
    model = reference()
    assert benchmark(lambda: q.linear_program(model)).cost == pytest.approx(7.011341763, abs=1e-8)


def test_quantecon_policy_iteration(benchmark):
    pytest.importorskip("quantecon")
    problem = peers.QuantEconProblem(reference(), 0.9999)
    problem.decisions()  # compile
    benchmark(problem.decisions)


def test_mdpsolver_value_iteration(benchmark):
    pytest.importorskip("mdpsolver")
    model = reference()
    _, seconds = benchmark.pedantic(lambda: peers.mdpsolver_values(model), rounds=1)
    benchmark.extra_info["solve_seconds"] = seconds
