import pytest

import quire.queueing as q

FARM = q.Farm(1.5, 0.5, 3)


@pytest.mark.parametrize(
    "policy",
    [q.Static(3), q.OnOff(), q.Band(1, -1, 2), q.DelayedOff(0.5, 1), q.DualThreshold(1.5, 0.5)],
    ids=lambda p: p.name,
)
@pytest.mark.parametrize("committed", [False, True])
def test_simulation_agrees_with_the_chain(policy, committed):
    build = q.committed_model if committed else q.free_cancel_model
    exact = q.evaluate(build(FARM, q.Costs(), 120), policy)
    run = q.simulate(
        FARM, policy, requests=100_000, seed=11, committed=committed, confidence=0.9999
    )
    assert run.response_time.covers(exact.response_time)
    assert abs(run.servers.mean - exact.active - exact.in_setup) <= run.servers.half_width + 1e-9


@pytest.mark.parametrize(("stages", "square"), [(1, 2.0), (4, 1.25), (0, 1.0)])
def test_setup_law_of_one_server(stages, square):
    # E[L] of M/G/1 with setup D: rho/(1-rho) + (lambda D + lambda^2 E[D^2]/2)/(1 + lambda D)
    lam, mean = 0.5, 3.0
    requests = 1.0 + (lam * mean + lam**2 * square * mean**2 / 2) / (1 + lam * mean)
    run = q.simulate(
        q.Farm(lam, 1 / mean, 1),
        q.OnOff(),
        requests=200_000,
        seed=3,
        stages=stages,
        committed=True,
        confidence=0.9999,
    )
    assert run.response_time.covers(requests / lam)


def test_same_seed_same_numbers():
    a, b = (q.simulate(FARM, q.OnOff(), requests=5000, seed=5) for _ in range(2))
    assert a == b


def test_bad_inputs():
    with pytest.raises(ValueError, match="batches"):
        q.simulate(FARM, q.OnOff(), requests=5000, seed=0, batches=1)
    with pytest.raises(ValueError, match="requests"):
        q.simulate(FARM, q.OnOff(), requests=100, seed=0)
    with pytest.raises(ValueError, match="stages"):
        q.simulate(FARM, q.OnOff(), requests=5000, seed=0, stages=-1)
