"""Choosing a model while learning: linear bandits with delayed rewards, and their rivals."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.checks import integer, non_negative, positive, real_array

POLICIES = ("linucb", "thompson", "greedy", "fixed", "oracle", "random")
LARGEST = 1e9
"""No feature, reward, noise or width is larger, and no ridge or discount below its inverse: sums of
squares stay far from overflow."""


@dataclass(frozen=True)
class World:
    """What each model would earn on each request, in expectation, and the noise.

    Attributes
    ----------
    context
        Rows of features, a request each.
    mean
        Expected reward of each (request, arm).
    noise
        Standard deviation of a reward.
    """

    context: np.ndarray
    mean: np.ndarray
    noise: float | int = 0.1

    def __post_init__(self) -> None:
        x, m = real_array("context", self.context, 2), real_array("mean", self.mean, 2)
        if x.shape[0] != m.shape[0]:
            raise ValueError(f"mean = {m.shape[0]} rows: must be {x.shape[0]}, as context")
        for name, entries in (("context", x), ("mean", m)):
            _moderate(name, float(np.abs(entries).max()))
        _moderate("noise", non_negative("noise", self.noise))
        object.__setattr__(self, "context", x)
        object.__setattr__(self, "mean", m)


@dataclass(frozen=True)
class Learnt:
    """What a policy chose, and what it gave away.

    Attributes
    ----------
    arm
        Chosen for each request.
    regret
        Cumulative: the best arm's mean minus the chosen one's.
    """

    arm: np.ndarray
    regret: np.ndarray


def learn(
    world: World,
    policy: str,
    *,
    exploration: Any = 0.5,
    ridge: Any = 1.0,
    discount: Any = 1.0,
    delay: Any = 0,
    arm: Any = 0,
    seed: Any = 0,
) -> Learnt:
    """Return what a policy chooses on a stream of requests.

    Parameters
    ----------
    world
        The requests.
    policy
        ``"linucb"`` or ``"thompson"``, linear in the features; ``"greedy"``, linear with a share
        ``exploration`` of random choices; ``"fixed"``, always ``arm``; ``"oracle"``, the best of
        each request; ``"random"``.
    exploration
        Width of LinUCB's bonus, scale of Thompson's draws, or the greedy policy's share.
    ridge
        Of the regression, 1e-9 to 1e9.
    discount
        Of old rewards each request, 1e-9 to 1; below 1 for what drifts.
    delay
        Requests between a choice and its reward.
    arm
        Of the fixed policy.
    seed
        Of the random numbers.

    Raises
    ------
    ValueError
        For an unknown policy, or numbers outside their range.
    """
    if policy not in POLICIES:
        raise ValueError(f"policy = {policy!r}: must be one of {', '.join(POLICIES)}")
    width = _moderate("exploration", non_negative("exploration", exploration))
    late = integer("delay", delay, 0)
    shrink = _moderate("ridge", positive("ridge", ridge))
    keep = positive("discount", discount)
    if keep > 1:
        raise ValueError(f"discount = {keep:g}: must be above 0, at most 1")
    if min(shrink, keep) < 1 / LARGEST:
        raise ValueError(f"ridge, discount = {shrink:g} and {keep:g}: must be 1e-9 or more")
    n, arms = world.mean.shape
    d = world.context.shape[1]
    always = integer("arm", arm, 0, arms - 1)
    rng = np.random.default_rng([integer("seed", seed, 0), 11])
    noise = np.asarray(rng.normal(0.0, 1.0, n) * float(world.noise))
    inverse = np.stack([np.eye(d) / shrink] * arms)
    target = np.zeros((arms, d))
    theta = np.zeros((arms, d))
    chosen = np.zeros(n, np.int64)
    for r in range(n):
        x = world.context[r]
        if policy == "fixed":
            pick = always
        elif policy == "oracle":
            pick = int(world.mean[r].argmax())
        elif policy == "random" or (policy == "greedy" and rng.random() < width):
            pick = int(rng.integers(arms))
        else:
            score = theta @ x
            if policy == "linucb":
                score = score + width * _spread(inverse, x)
            elif policy == "thompson":
                spread = _spread(inverse, x)
                score = score + width * spread * rng.standard_normal(arms)
            pick = int(score.argmax())
        chosen[r] = pick
        heard = r - late
        if heard >= 0 and policy in ("linucb", "thompson", "greedy"):
            a, y = int(chosen[heard]), world.context[heard]
            reward = float(world.mean[heard, a]) + float(noise[heard])
            if keep < 1:
                # old rewards fade; the ridge comes back so that the bonus stays bounded
                inverse[a] /= keep
                target[a] *= keep
                size = float(np.trace(inverse[a]))
                if size > d / shrink:
                    inverse[a] *= d / shrink / size
            v = inverse[a] @ y
            inverse[a] -= np.outer(v, v) / (1 + y @ v)
            target[a] += reward * y
            theta[a] = inverse[a] @ target[a]
    lost = world.mean.max(axis=1) - world.mean[np.arange(n), chosen]
    return Learnt(chosen, np.cumsum(lost))


def _spread(inverse: np.ndarray, x: np.ndarray) -> np.ndarray:
    # a rounding below zero, where the regression is badly conditioned, counts as zero
    return np.asarray(np.sqrt(np.maximum((x @ inverse) @ x, 0.0)))


def _moderate(name: str, value: float) -> float:
    if value > LARGEST:
        raise ValueError(f"{name} = {value:g}: must be 1e9 or less")
    return value


def model_world(n: Any, seed: Any, *, change: bool = True, price: Any = 0.15) -> World:
    """Return requests of three categories and three models of different size and price.

    Quality falls with difficulty, along a logistic that no linear model matches; each category has
    its own. At half time, with ``change``, the middle model loses its quality on code.

    Parameters
    ----------
    n
        Requests.
    seed
        Of the random numbers.
    change
        Whether the world changes.
    price
        Weight of cost in the reward.
    """
    count = integer("n", n, 2)
    rng = np.random.default_rng([integer("seed", seed, 0), 12])
    category = rng.choice(3, count, p=[0.5, 0.3, 0.2])
    length = np.clip(rng.normal(7.0, 1.0, count), 4, 11)
    difficulty = np.clip(rng.normal(0.0, 1.0, count) + 0.3 * (length - 7), -3, 3)
    skill = np.array([[0.3, -1.0, -0.6], [1.0, 0.8, 0.2], [2.0, 2.0, 1.8]])
    mean = 1 / (1 + np.exp(-2 * (skill[:, category].T - difficulty[:, None])))
    if change:
        late = (np.arange(count) >= count // 2) & (category == 1)
        mean[late, 1] = 1 / (1 + np.exp(-2 * (-1.5 - difficulty[late])))
    mean = mean - _moderate("price", positive("price", price)) * np.array([0.2, 0.8, 3.0])
    features = [np.ones(count), (length - 7), difficulty, difficulty**2]
    features += [(category == k).astype(float) for k in (1, 2)]
    features += [(category == k) * difficulty for k in (1, 2)]
    return World(np.stack(features, axis=1), mean, 0.2)
