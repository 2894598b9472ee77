import numpy as np
import pytest

import quire.queueing as q
from quire.queueing import peers

COST = 7.011341763


@pytest.fixture(scope="module")
def model():
    return q.free_cancel_model(q.Farm(2.5, 0.2, 5), q.Costs(), 60)


def test_quantecon_finds_a_policy_of_the_same_cost(model):
    pytest.importorskip("quantecon")
    decisions = peers.QuantEconProblem(model, 0.9999).decisions()
    assert q.evaluate_decisions(model, decisions).cost == pytest.approx(COST, abs=2e-9)


def test_mdpsolver_finds_the_same_relative_values(model):
    pytest.importorskip("mdpsolver")
    values, seconds = peers.mdpsolver_values(model, algorithm="mpi")
    assert values[1:3] == pytest.approx([-16.48694, -25.85039], abs=1e-5)
    assert values == pytest.approx(q.policy_iteration(model).relative_values, abs=1e-5)
    assert seconds > 0


def test_pymdptoolbox_on_the_three_state_exercise():
    pytest.importorskip("mdptoolbox")
    transitions = np.array(
        [
            [[0.25, 0.25, 0.5], [0.75, 0, 0.25], [0.5, 0.5, 0]],
            [[0, 0.25, 0.75], [0.25, 0, 0.75], [0.25, 0.25, 0.5]],
        ]
    )
    costs = -np.array([[0.55, 0.75], [1, 0.8], [1.2, 1]])
    ours = q.policy_iteration(q.discrete_problem(transitions, costs)).cost
    assert peers.toolbox_cost(transitions, costs) == pytest.approx(ours, abs=1e-8)


def test_ciw_waits_as_erlang_says():
    pytest.importorskip("ciw")
    simulated, formula = peers.ciw_waiting_probability(q.Farm(2.5, 1.0, 4), 20_000, 1)
    assert simulated == pytest.approx(formula, abs=0.03)


def test_simpy_agrees_with_the_matrix_geometric_law():
    pytest.importorskip("simpy")
    farm = q.Farm(2.5, 0.5, 4)
    time = peers.simpy_setup_response_time(farm, 40_000, 1)
    assert time == pytest.approx(q.setup_queue(farm).response_time, rel=0.05)
