"""Plans over a horizon, pumps whose model is wrong, the loop, and what rivals are given."""

import numpy as np
import pytest
from jaxtyping import TypeCheckError
from scipy.optimize import minimize

from quire.world_model import InfeasibleSafeSet, WorldModelError
from quire.world_model.experiments import looped, planned, questions, rivals
from quire.world_model.loop import aara
from quire.world_model.planning.predictive import Linear, plan, predictive_program

REFUSED = (ValueError, TypeCheckError)
MODEL = Linear(
    np.array([[0.8, 0.0], [0.2, 0.9]]), np.array([[0.1], [0.0]]), np.zeros(2), np.array([0.0, 1.0])
)
START = np.array([2.0, 2.0])


def levels(model, start, inputs):
    x, told = start, []
    for u in inputs:
        x = model.flow @ x + model.inputs @ [u] + model.drift
        told.append(model.output @ x)
    return np.array(told)


def test_a_plan_is_what_a_general_solver_finds():
    program = predictive_program(MODEL, START, 3.0, 6, 5.0, 2.5, ((MODEL, 6),), 0.5, 1e-2)
    found = plan(program)

    def cost(u):
        return np.sum((levels(MODEL, START, u) - 3.0) ** 2) + 1e-2 * np.sum(u**2)

    def room(u):
        h = 2.5 - np.concatenate([[START[1]], levels(MODEL, START, u)])
        return h[1:] - 0.5 * h[:-1]

    best = minimize(
        cost,
        np.ones(6),
        bounds=[(0, 5)] * 6,
        constraints={"type": "ineq", "fun": room},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert cost(found) == pytest.approx(best.fun, rel=1e-6) and room(found).min() > -1e-9
    free = plan(predictive_program(MODEL, START, 3.0, 6, 5.0, effort=1e-2))
    assert cost(free) < cost(found) and room(free).min() < 0


def test_a_start_beyond_the_ceiling_has_no_plan():
    stuck = Linear(np.eye(1), np.array([[1.0]]), np.zeros(1), np.ones(1))
    program = predictive_program(stuck, np.array([5.0]), 1.0, 3, 1.0, 2.0, ((stuck, 3),), 1.0)
    with pytest.raises(InfeasibleSafeSet):
        plan(program)


@pytest.mark.parametrize(
    "call",
    [
        lambda: Linear(np.eye(2), np.ones((3, 1)), np.zeros(2), np.ones(2)),
        lambda: Linear(np.eye(2), np.ones((2, 1)), np.zeros(2), np.array([1.0, np.nan])),
        lambda: predictive_program(MODEL, np.zeros(3), 1.0, 5, 1.0),
        lambda: predictive_program(MODEL, START, 1.0, 0, 1.0),
        lambda: predictive_program(MODEL, START, 1.0, 5, 1.0, 2.0, ((MODEL, 6),)),
        lambda: predictive_program(MODEL, START, 1.0, 5, 1.0, gamma=-0.1),
        lambda: predictive_program(MODEL, START, 1.0, 5, 1.0, effort=-1.0),
        lambda: plan(predictive_program(MODEL, START, 1.0, 5, 1.0, effort=0.0)),
    ],
    ids=range(8),
)
def test_what_no_plan_can_be_made_of_is_refused(call):
    with pytest.raises(REFUSED):
        call()


def test_pumps_are_planned_and_the_margin_holds():
    (free, held), programs = planned.planned_doses(4, 3, minutes=30)
    assert held.violated == 0 and free.low_cost <= held.low_cost
    assert (planned.plan_ms(programs, 2) > 0).all() and planned.factor_ms(programs, 2) > 0


def test_the_loop_learns_notices_and_is_the_same_again():
    (first,), (blind,) = (looped.loop_runs([7], 120, [way]) for way in looped.WAYS[:2])
    assert 0 <= first.delay < 40 and first.unlogged == 0 and first.after < 0.5 * blind.after
    assert blind.delay == -1 and blind.asked == 0
    assert looped.loop_runs([7], 120, looped.WAYS[:1])[0].chain == first.chain != blind.chain
    (loose,) = looped.loop_runs([7], 120, looped.WAYS[:1], looped.GREEDY, kernel=False)
    (bound,) = looped.loop_runs([7], 120, looped.WAYS[:1], looped.GREEDY)
    assert loose.breaches > 20 and bound.excess < 0.05


def test_the_loop_refuses_what_no_sensor_can_say():
    mind = aara.newborn(np.array([2.0, 2.0]))
    theta = aara.coefficients(mind)
    assert theta == pytest.approx(np.array([[0.1, -0.2], [0.2, -0.2]]), abs=1e-3)
    with pytest.raises(WorldModelError):
        aara.believe(mind, np.array([np.nan, 1.0]), 1.0, theta)
    assert aara.alarmed(mind) is False and aara.learn(mind) == (mind, "act")
    assert aara.planned(mind, theta, 3.0, 2.0) == 0.0  # no room: the pump stands still


def test_questions_in_other_words_are_other_texts_with_the_same_answer():
    world = "Age has a direct effect on dose and cure. Dose has a direct effect on cure. "
    numbers = (
        "For old people and no dose, the probability of cure is 20%. For old people and dose, the "
        "probability of cure is 30%. For young people and no dose, the probability of cure is 70%. "
        "For young people and dose, the probability of cure is 80%. The overall probability of "
        "age is 50%. "
    )
    text = world + numbers + "Will dose increase the chance of cure?"
    other = questions.in_other_words(text)
    assert "percent" in other and "directly influences" in other and "raise" in other
    row = questions.Judged("s", "ate", "g", text, "yes", "yes", True, "numbers")
    assert questions.changed_by_words([row]) == 0
    wrong = questions.Judged("s", "ate", "g", text, "yes", "no", True, "numbers")
    assert questions.changed_by_words([wrong]) == 1


def test_rivals_are_given_what_ours_had():
    mine = rivals.driven(20, 2, 0)
    assert mine.given["parameters"].shape == (20, 3) and np.isfinite(mine.result).all()
    fit = rivals.fitted(500, 2, 0)
    assert fit.result == pytest.approx(
        np.linalg.lstsq(fit.given["features"], fit.given["targets"], rcond=None)[0], abs=1e-6
    )
    tree = rivals.grown(20, 2, 0)
    assert len(tree.given["entries"]) == 20 and len(tree.result) == 64
    row = rivals.rival("t", "p", np.array([1.0, 2.0]), np.array([6.0, 2.0]), 0.5)
    assert (row.ratio, row.low, row.high) == (2.5, 2.0, 3.0)
