"""A priority that is learned: weights of a linear key, searched on one workload.

A policy with free constants is tuned by random search under a budget of trials, each of which
serves all the training runs. Half of the trials are drawn wide, half near the best so far. The
first trial is the rule as it stands, so that nothing learned is worse where it was learned.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from quire.checks import integer
from quire.serving.loading.costs import LoadingCosts
from quire.serving.loading.policies import Policy
from quire.serving.loading.requests import Requests
from quire.serving.loading.stages import Engine, serve


@dataclass(frozen=True)
class Learned:
    """What a search found: the policy, its share on time where it was learned, the trials."""

    policy: Policy
    on_time: float
    trials: int


def _linear(logs: np.ndarray) -> Policy:
    """Return a linear key from the logarithms of the weights of copy, computing, limit and ageing.

    The network's weight is one: a key has no scale.
    """
    copy, device, limit, aging = (float(each) for each in np.exp(logs))
    return Policy("linear", aging=aging, weights=(1.0, copy, device, limit))


def _aged(logs: np.ndarray) -> Policy:
    """Return ``sjf_total`` with ageing, from one logarithm."""
    return Policy("sjf_total", aging=float(np.exp(logs[0])))


def _hybrid(logs: np.ndarray) -> Policy:
    """Return ``hybrid`` from the logarithm of its weight."""
    return Policy("hybrid", weight=float(np.exp(logs[0])))


FAMILIES: dict[str, tuple[Callable[[np.ndarray], Policy], tuple[float, ...]]] = {
    "linear": (_linear, (0.0, 0.0, -7.0, -7.0)),
    "sjf_total, aged": (_aged, (-7.0,)),
    "hybrid": (_hybrid, (2.3,)),
}
"""Each family, and where its search begins: the rule as it stands (ageing and limit near none)."""


def learn(
    family: str,
    runs: Sequence[tuple[Requests, LoadingCosts]],
    trials: int,
    seed: int,
    engine: Engine | None = None,
) -> Learned:
    """Search the constants of a family that put most requests of the training runs on time.

    Parameters
    ----------
    family
        One of `FAMILIES`.
    runs
        Requests with arrivals and deadlines, and the system of each.
    trials
        How many settings are tried.
    seed
        Of the search.
    engine
        That serves them; E2 if None.

    Raises
    ------
    ValueError
        For another family, or no run.
    """
    if family not in FAMILIES:
        raise ValueError(f"family = {family!r}: must be one of {', '.join(FAMILIES)}")
    if not runs:
        raise ValueError("runs = []: must be one or more")
    make, start = FAMILIES[family]
    made = engine or Engine()
    rng = np.random.default_rng(integer("seed", seed, 0))
    best, most, at = make(np.asarray(start)), -1.0, np.asarray(start)
    for k in range(integer("trials", trials)):
        logs = np.asarray(start)
        if 0 < k < trials // 2:
            logs = np.asarray(start) + rng.normal(0.0, 3.0, len(start))
        elif k:
            logs = at + rng.normal(0.0, 0.7, len(start))
        policy = make(np.clip(logs, -12.0, 12.0))
        share = float(np.mean([serve(r, c, made, policy).attainment for r, c in runs]))
        if share > most:
            best, most, at = policy, share, np.clip(logs, -12.0, 12.0)
    return Learned(best, most, trials)
