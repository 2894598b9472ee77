"""Training by averaged gradients, in the open and through the protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from quire.secure_sums.aggregation import deal, secure_sum
from quire.secure_sums.linear.zero_sum import seeded_entropy
from quire.secure_sums.wire.fixed_point import FixedPoint

RATE = 0.5  # step size of gradient descent


@dataclass(frozen=True)
class TrainingRow:
    """One training run.

    Attributes
    ----------
    seed
        Of the order of the data.
    plain, secure
        Accuracy on the held-out part, in per cent, with plain and with secure means.
    error_over_bound
        The largest error of any secure mean of any round, over what the code promises.
    """

    seed: int
    plain: float
    secure: float
    error_over_bound: float


def softmax_regression(
    average: Callable[[Float[np.ndarray, "K p"]], Float[np.ndarray, " p"]],
    features: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    users: int,
    rounds: int,
) -> Float[np.ndarray, "d c"]:
    """Return the weights after so many steps along averages of the users' gradients."""
    classes = int(labels.max()) + 1
    weights = np.zeros((features.shape[1], classes))
    parts = np.array_split(np.arange(len(labels)), users)
    for _ in range(rounds):
        gradients = []
        for part in parts:
            x, y = features[part], np.eye(classes)[labels[part]]
            p = np.exp(x @ weights)
            gradients.append((x.T @ (p / p.sum(axis=1, keepdims=True) - y) / len(part)).ravel())
        weights = weights - RATE * average(np.array(gradients)).reshape(weights.shape)
    return weights


def train_securely(
    features: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    coding: FixedPoint,
    rounds: int,
    seeds: tuple[int, ...],
) -> list[TrainingRow]:
    """Train once with plain and once with secure means for each order of the data.

    Four fifths of the data are dealt out to the users of the code; the rest is held out.
    """
    rows = []
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(len(labels))
        x, y = features[order], labels[order]
        cut = 4 * len(y) // 5
        errors: list[float] = []

        def securely(
            gradients: Float[np.ndarray, "K p"], seed: int = seed, errors: list[float] = errors
        ) -> Float[np.ndarray, " p"]:
            entropy = seeded_entropy(seed * 10_000 + len(errors))
            keys = deal(coding.users, gradients.shape[1], entropy)
            mean = secure_sum(gradients, keys, coding).mean
            errors.append(float(np.abs(mean - gradients.mean(axis=0)).max()))
            return mean

        accuracy = []
        for average in (lambda g: g.mean(axis=0), securely):
            weights = softmax_regression(average, x[:cut], y[:cut], coding.users, rounds)
            accuracy.append(100 * float(np.mean((x[cut:] @ weights).argmax(axis=1) == y[cut:])))
        bound = coding.mean_error_bound()
        rows.append(TrainingRow(seed, accuracy[0], accuracy[1], max(errors) / bound))
    return rows
