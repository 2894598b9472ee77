import numpy as np
import pytest

import quire.queueing as q
from quire.queueing.decisions.general_setup import general_setup_model, setup_kernel

COSTS = q.Costs(delay=0.1, allocation=3.0)


@pytest.mark.parametrize("variability", [0.0, 0.25, 1.0, 4.0])
def test_one_server_is_heymans_n_policy(variability):
    farm = q.Farm(0.2, 0.5, 1)
    best = q.policy_iteration(general_setup_model(farm, COSTS, 150, variability))
    costs = []
    for n in range(1, 40):
        queue = q.n_policy(farm, n, variability)
        costs.append(
            COSTS.server * (queue.active + queue.in_setup)
            + COSTS.delay * queue.requests
            + COSTS.allocation * queue.cycle_rate
        )
    assert min(costs) < q.static_cost(1, farm, COSTS)
    assert best.cost == pytest.approx(min(costs), rel=1e-9)


def test_exponential_setup_of_one_server_is_the_committed_model():
    farm = q.Farm(0.2, 0.5, 1)
    general = q.policy_iteration(general_setup_model(farm, COSTS, 100, 1.0)).cost
    committed = q.policy_iteration(q.committed_model(farm, COSTS, 100)).cost
    assert general == pytest.approx(committed, rel=1e-9)


@pytest.mark.parametrize("variability", [0.0, 0.5, 3.0])
def test_kernel_is_a_law_and_its_times_add_up(variability):
    farm = q.Farm(1.2, 0.3, 3)
    after, spent = setup_kernel(farm, 2, 60, variability)
    assert after.sum(axis=1) == pytest.approx(1.0)
    assert spent.sum(axis=1) == pytest.approx(1 / farm.setup_rate, rel=1e-9)
    assert after.min() >= 0 and spent.min() >= 0


def test_kernel_of_a_constant_setup_is_the_matrix_exponential():
    from scipy.linalg import expm

    farm, levels, active = q.Farm(1.2, 0.3, 3), 30, 2
    n = np.arange(levels + 1)
    up, down = np.where(n < levels, 1.2, 0.0), np.minimum(n, active) * 1.0
    generator = np.diag(up[:-1], 1) + np.diag(down[1:], -1) - np.diag(up + down)
    after, _ = setup_kernel(farm, active, levels, 0.0)
    assert np.abs(after - expm(generator / 0.3)).max() < 1e-12


def test_bad_inputs():
    farm = q.Farm(0.5, 0.5, 1)
    for wrong in (-0.1, float("nan")):
        with pytest.raises(ValueError, match="variability"):
            general_setup_model(farm, COSTS, 40, wrong)
    with pytest.raises(ValueError, match="can have more"):
        general_setup_model(q.Farm(0.5, 1e-6, 1), COSTS, 40, 1.0)
    with pytest.raises(ValueError, match="levels"):
        general_setup_model(farm, COSTS, 5, 1.0)
