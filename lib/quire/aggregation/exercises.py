"""The checks of the chapter's exercises: each computes the right answer and compares.

Every check takes whatever a reader wrote and returns whether it is right. None, NaN, a wrong type
or a wrong value is False; nothing raises.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from quire.answers import called, is_near

RATE, DECAY, START = 0.01, 5e-4, 0.3


def interference_of_equal_cosines(answer: Any) -> bool:
    """Whether the answer is a function (K, rho): DI of K updates of one length, cosines rho."""
    cases = [(clients, rho) for clients in (2, 5, 8, 20) for rho in (0.0, 0.1, 0.5, 1.0)]
    return callable(answer) and all(
        is_near(
            called(answer, clients, rho),
            1 - math.sqrt((1 + (clients - 1) * rho) / clients),
            abs_=1e-9,
        )
        for clients, rho in cases
    )


def steps_to_halve(answer: Any) -> bool:
    """Whether the answer is (steps of Adam with L2, steps of AdamW) until a weight has halved.

    The weight starts at 0.3 and gets no gradient from data; rate 0.01, decay 5e-4, Adam's defaults.
    """
    right = (coupled_steps(), math.ceil(math.log(0.5) / math.log1p(-RATE * DECAY)))
    given = _listed(answer)
    if given is None or len(given) != 2:
        return False
    # A step more or less is rounding; thousands of AdamW's are not worth counting one by one.
    return all(
        is_near(mine, float(wanted), abs_=max(1.0, 0.01 * wanted))
        for mine, wanted in zip(given, right, strict=True)
    )


def coupled_steps() -> int:
    """Return after how many steps Adam with L2 decay has halved a weight without data."""
    weight, first, second, steps = START, 0.0, 0.0, 0
    while weight > START / 2:
        steps += 1
        gradient = DECAY * weight
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        mean, size = first / (1 - 0.9**steps), math.sqrt(second / (1 - 0.999**steps))
        weight -= RATE * mean / (size + 1e-8)
    return steps


def change_that_predictions_see(answer: Any) -> bool:
    """Whether the answer is a function (scores, bare): the relative change of centred logits."""
    if not callable(answer):
        return False
    rng = np.random.default_rng(7)
    for nodes, classes in ((5, 3), (9, 4), (2, 2)):
        scores, bare = rng.standard_normal((2, nodes, classes)) + rng.uniform(-2, 2, (2, nodes, 1))
        one, other = (x - x.mean(axis=1, keepdims=True) for x in (scores, bare))
        right = float(np.linalg.norm(one - other) / np.linalg.norm(one))
        if not is_near(called(answer, scores.copy(), bare.copy()), right, abs_=1e-6):
            return False
    return True


def conflict_in_the_product(answer: Any) -> bool:
    """Whether the answer is two pairs (dW1, dW2) that agree in each kernel and conflict end to end.

    At W1 = (1 0) and W2 = (0 1)^T: inner products not negative in either kernel, that of the
    products dW1 W2 + W1 dW2 negative.
    """
    pairs = _listed(answer)
    if pairs is None or len(pairs) != 2:
        return False
    one, other = _kernels(pairs[0]), _kernels(pairs[1])
    if one is None or other is None:
        return False
    agree = min(float(np.sum(a * b)) for a, b in zip(one, other, strict=True))
    images = [float(first[0, 1] + second[0, 0]) for first, second in (one, other)]
    return agree >= 0 > images[0] * images[1]


def _kernels(pair: Any) -> tuple[np.ndarray, np.ndarray] | None:
    given = _listed(pair)
    if given is None or len(given) != 2:
        return None
    try:
        first, second = (np.asarray(part, float) for part in given)
    except (TypeError, ValueError):
        return None
    if first.shape not in ((2,), (1, 2)) or second.shape not in ((2,), (2, 1)):
        return None
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return None
    return first.reshape(1, 2), second.reshape(2, 1)


def _listed(answer: Any) -> list[Any] | None:
    if hasattr(answer, "tolist"):
        answer = answer.tolist()
    return list(answer) if isinstance(answer, list | tuple) else None
