import numpy as np
import pytest

from quire.queueing import (
    Autoscaler,
    Band,
    Costs,
    DelayedOff,
    DualThreshold,
    Farm,
    Metric,
    NPolicy,
    OnOff,
    Staggered,
    Static,
    UnstableSystem,
    cheapest_static,
    decisions_of,
    evaluate,
    floor_policy,
    free_cancel_model,
    judge_autoscaler,
    spare_policy,
    window_for,
)

FARM = Farm(2.5, 0.2, 5)
MODEL = free_cancel_model(FARM, Costs(), 80)


@pytest.mark.parametrize(
    "policy",
    [
        Static(4),
        OnOff(),
        floor_policy(2),
        spare_policy(1),
        spare_policy(-2, 3),
        Band(3, -1, 2),
        DualThreshold(1.5, 0.5),
        DelayedOff(0.5, 1),
        Staggered(),
        Autoscaler(0.7, 5.0),
    ],
    ids=lambda p: p.name,
)
def test_targets_and_rate_conservation(policy):
    table = policy.targets(FARM, 80)
    assert table.shape == (81, 6)
    assert table.min() >= 0
    assert table.max() <= 5
    seen = evaluate(MODEL, policy)
    accepted = FARM.arrival_rate * (1 - seen.lost)
    assert seen.busy == pytest.approx(accepted / FARM.service_rate, rel=1e-9)


def test_static_is_erlang():
    seen = evaluate(MODEL, Static(4))
    assert seen.response_time == pytest.approx(1.2132378028, rel=1e-9)
    assert seen.allocations == pytest.approx(0, abs=1e-12)


def test_spare_zero_is_on_off_and_band_zero_too():
    reference = evaluate(MODEL, OnOff()).cost
    assert evaluate(MODEL, spare_policy(0)).cost == pytest.approx(reference, rel=1e-12)
    assert evaluate(MODEL, Band()).cost == pytest.approx(reference, rel=1e-12)


def test_fast_release_tends_to_on_off():
    reference = evaluate(MODEL, OnOff()).cost
    costs = [evaluate(MODEL, DelayedOff(rate)).cost for rate in (10.0, 1e3, 1e6)]
    errors = np.abs(np.array(costs) - reference)
    assert errors[2] < errors[1] < errors[0]
    assert errors[2] < 1e-4


def test_concurrency_autoscaler_at_target_one_is_delayed_off():
    scaler = Autoscaler(1.0, 5.0, metric=Metric.CONCURRENCY)
    ours = evaluate(MODEL, scaler)
    assert ours.cost == pytest.approx(evaluate(MODEL, scaler.as_delayed_off()).cost, rel=1e-12)
    dual = scaler.as_dual_threshold(4)
    assert (dual.up, dual.down) == (1.0, 0.75)


def test_autoscaler_never_beats_the_optimum():
    verdict = judge_autoscaler(Autoscaler(0.6, 3.0), FARM, Costs(), levels=80)
    assert verdict.gap > 0
    assert window_for(5.0, 1.0, 1.0, 2.0) == 7.0


def test_bad_inputs():
    with pytest.raises(ValueError, match="down threshold must be below up threshold"):
        DualThreshold(1.0, 1.0)
    with pytest.raises(UnstableSystem):
        Static(2).targets(FARM, 20)
    with pytest.raises(ValueError, match=r"state \(n=0, a=0\)"):
        decisions_of(MODEL, Static(6))
    with pytest.raises(ValueError, match="keep"):
        Band(0, 2, 1)
    with pytest.raises(ValueError, match="release_rate"):
        DelayedOff(0.0)
    with pytest.raises(ValueError, match="one server"):
        NPolicy(2).targets(FARM, 20)
    with pytest.raises(ValueError, match="target"):
        Autoscaler(1.5, 5.0)
    with pytest.raises(ValueError, match="window"):
        Autoscaler(0.5, 0.0)
    assert cheapest_static(FARM, Costs()) == Static(4)
