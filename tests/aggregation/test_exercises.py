import jax.numpy as jnp
import numpy as np
import pytest

from quire.aggregation import exercises

SENSELESS = [None, float("nan"), float("inf"), True, "16", [], {}, np.zeros(3), object(), 10**400]


def di(clients, rho):
    return 1 - ((1 + (clients - 1) * rho) / clients) ** 0.5


def sensitivity(scores, bare):
    one, other = (x - x.mean(axis=1, keepdims=True) for x in (scores, bare))
    return np.linalg.norm(one - other) / np.linalg.norm(one)


CONFLICT = ([[0.1, 1.0]], [[0.0], [2.0]]), ([[2.0, -0.1]], [[-0.1], [2.0]])
RIGHT = [
    (exercises.interference_of_equal_cosines, [di, lambda k, rho: jnp.asarray(di(k, rho)) * 1.0]),
    (
        exercises.steps_to_halve,
        [(16, 138_629), [16, 138_630], np.array([16, 138_000])],
    ),
    (exercises.change_that_predictions_see, [sensitivity]),
    (exercises.conflict_in_the_product, [CONFLICT, (([0.1, 1], [0, 2]), ([2, -0.1], [-0.1, 2]))]),
]


def failing(*_):
    raise ArithmeticError


def raw(scores, bare):
    return np.linalg.norm(scores - bare) / np.linalg.norm(scores)


def over_nodes(scores, bare):
    return sensitivity(scores.T, bare.T)


def one_centred(scores, bare):
    one = scores - scores.mean(axis=1, keepdims=True)
    return np.linalg.norm(one - bare) / np.linalg.norm(one)


def by_bare(scores, bare):
    return sensitivity(bare, scores)


WRONG = [
    (
        exercises.interference_of_equal_cosines,
        [0, failing, lambda *_: 0.0, lambda *_: None, lambda k, rho: 1 - 1 / k**0.5,
         lambda k, rho: 1 - rho, lambda k, rho: 1 - (1 + (k - 1) * rho) / k,
         lambda k, rho: ((1 + (k - 1) * rho) / k) ** 0.5],
    ),
    (
        exercises.steps_to_halve,
        [(0, 0), (15, 15), (16,), (138_629, 16), (16, 1386), (30, 138_629), (16, 10**400),
         ("a", "b"),
         (True, 138_629), 16],
    ),
    (
        exercises.change_that_predictions_see,
        [0, failing, lambda *_: 0.0, lambda *_: None, raw, over_nodes, one_centred, by_bare,
         lambda *_: np.zeros(3)],
    ),
    (
        exercises.conflict_in_the_product,
        [((0, 0), (0, 0)), (([0, 0], [0, 0]), ([0, 0], [0, 0])), CONFLICT[:1],
         (CONFLICT[0], CONFLICT[0]),
         (([0, 1], [0, 2]), ([0, -1], [0, 2])), (([1, 1, 1], [0, 2]), ([2, -0.1], [-0.1, 2])),
         (([0.1, float("nan")], [0, 2]), ([2, -0.1], [-0.1, 2])), (("a", "b"), ("c", "d")), "1234"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("check", "answers"), RIGHT)
def test_the_model_solution_is_right(check, answers):
    assert [answer for answer in answers if check(answer) is not True] == []


@pytest.mark.parametrize(("check", "answers"), WRONG)
def test_wrong_answers_are_wrong(check, answers):
    assert [answer for answer in (*answers, *SENSELESS) if check(answer) is not False] == []


def test_the_steps_are_optax_s():
    import optax

    optimiser = optax.chain(optax.add_decayed_weights(exercises.DECAY), optax.adam(exercises.RATE))
    weight = jnp.asarray(exercises.START)
    state = optimiser.init(weight)
    for _ in range(exercises.coupled_steps()):
        assert float(weight) > exercises.START / 2
        change, state = optimiser.update(jnp.zeros(()), state, weight)
        weight = weight + change
    assert float(weight) <= exercises.START / 2
