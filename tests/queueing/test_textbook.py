from itertools import product

import numpy as np
import pytest

import quire.queueing as q


def brute_force(transitions, costs):
    """Least average cost over all deterministic policies of a unichain problem, by enumeration."""
    actions, states, _ = transitions.shape
    best = np.inf
    for policy in product(range(actions), repeat=states):
        chain = transitions[list(policy), range(states)]
        system = np.vstack([(chain.T - np.eye(states))[1:], np.ones(states)])
        law = np.linalg.solve(system, np.eye(states)[-1])
        best = min(best, law @ costs[range(states), list(policy)])
    return best


def test_three_states_undiscounted():
    # the exercise of pymdptoolbox's issue 37 (rewards, hence negative costs)
    transitions = np.array(
        [
            [[0.25, 0.25, 0.5], [0.75, 0, 0.25], [0.5, 0.5, 0]],
            [[0, 0.25, 0.75], [0.25, 0, 0.75], [0.25, 0.25, 0.5]],
        ]
    )
    costs = -np.array([[0.55, 0.75], [1, 0.8], [1.2, 1]])
    problem = q.discrete_problem(transitions, costs)
    best = brute_force(transitions, costs)
    for solve in (q.policy_iteration, q.relative_value_iteration, q.modified_policy_iteration):
        assert solve(problem).cost == pytest.approx(best, abs=1e-8)


def test_machine_replacement_has_a_control_limit():
    transitions, costs = q.machine_replacement()
    problem = q.discrete_problem(transitions, costs)
    found = q.policy_iteration(problem)
    assert found.cost == pytest.approx(brute_force(transitions, costs), abs=1e-8)
    replace = problem.choice[found.taken] % 2
    assert (np.diff(replace) >= 0).all()
    assert 0 < replace.sum() < len(replace)
    assert q.relative_value_iteration(problem).cost == pytest.approx(found.cost, abs=1e-8)


@pytest.mark.parametrize("seed", range(5))
def test_admission_turns_away_at_naors_threshold(seed):
    rng = np.random.default_rng(seed)
    rate, reward, holding = rng.uniform(0.2, 0.9), rng.uniform(2, 30), rng.uniform(0.5, 1.5)
    threshold = q.naor_threshold(rate, reward, holding)
    levels = threshold + 20
    problem = q.admission_control(rate, reward, holding, levels)
    admits = problem.choice[q.policy_iteration(problem).taken] % 2
    assert admits[: threshold + 1].tolist() == [1] * threshold + [0]


def test_bad_inputs():
    with pytest.raises(ValueError, match="states = 1"):
        q.machine_replacement(1)
    with pytest.raises(ValueError, match="arrival_rate"):
        q.admission_control(0.0, 1.0, 1.0, 10)
    with pytest.raises(ValueError, match="reward"):
        q.admission_control(0.5, 0.0, 1.0, 10)
    with pytest.raises(ValueError, match="levels"):
        q.admission_control(0.5, 1.0, 1.0, 1)
    with pytest.raises(q.UnstableSystem):
        q.naor_threshold(1.0, 5.0, 1.0)
    with pytest.raises(ValueError, match="does not pay"):
        q.naor_threshold(0.5, 0.5, 1.0)
