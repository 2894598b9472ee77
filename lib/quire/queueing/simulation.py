"""Event-driven simulation of one farm, with confidence intervals by batch means (Numba).

It shares no code with the chains: setups are individual, with any law, and the policy is a table.
"""

import math
from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float
from numba import njit
from scipy import stats

from quire.checks import between, integer
from quire.queueing.farm import Farm
from quire.queueing.policies import Policy, checked_targets, release_rates
from quire.signatures import checked


@dataclass(frozen=True)
class Estimate:
    """A mean with the half-width of its confidence interval."""

    mean: float
    half_width: float

    def covers(self, value: float) -> bool:
        """Tell whether ``value`` lies in the interval."""
        return abs(value - self.mean) <= self.half_width


@dataclass(frozen=True)
class Simulated:
    """What a run measured."""

    response_time: Estimate  # E[T], by Little's law from the requests present
    servers: Estimate  # E[a + s]
    allocations: Estimate  # setups started per unit of time, those later cancelled included


@njit(cache=True)
@no_type_check
def _run(
    generator,
    lam,
    mu,
    alpha,
    targets,
    releases,
    stages,
    committed,
    requests,
    batches,
):
    top = targets.shape[0] - 1
    k = targets.shape[1] - 1
    area_n = np.zeros(batches)
    area_s = np.zeros(batches)
    starts = np.zeros(batches)
    length = np.zeros(batches)
    left = np.full(k, np.inf)  # residual setup time of each server in setup; inf where none
    n, a, s = 0, 0, 0
    per_batch = requests // batches
    warm = per_batch
    seen, batch = 0, -1
    while True:
        level = min(n, top)
        want = targets[level, a]
        if want < a:
            a = max(want, min(n, a))
            want = targets[level, a]
        if not committed and s > max(0, want - a):
            for i in range(k):
                if s > max(0, want - a) and left[i] < np.inf:
                    left[i] = np.inf
                    s -= 1
        while a + s < want:
            for i in range(k):
                if left[i] == np.inf:
                    break
            if stages == 0:
                left[i] = 1 / alpha
            else:
                total = 0.0
                for _ in range(stages):
                    total += generator.standard_exponential()
                left[i] = total / (stages * alpha)
            s += 1
            if batch >= 0:
                starts[batch] += 1
        busy = min(n, a)
        fall = releases[level, a]
        rate = lam + busy * mu + fall
        step = generator.standard_exponential() / rate
        nearest = -1
        for i in range(k):
            if left[i] < step:
                step = left[i]
                nearest = i
        if batch >= 0:
            area_n[batch] += n * step
            area_s[batch] += (a + s) * step
            length[batch] += step
        for i in range(k):
            if left[i] < np.inf:
                left[i] -= step
        if nearest >= 0:
            left[nearest] = np.inf
            s -= 1
            a += 1
            continue
        pick = generator.random() * rate
        if pick < lam:
            n += 1
            seen += 1
            if (batch < 0 and seen >= warm) or (batch >= 0 and seen >= per_batch):
                batch += 1
                seen = 0
                if batch == batches:
                    return area_n, area_s, starts, length
        elif pick < lam + busy * mu:
            n -= 1
        else:
            a -= 1


def _interval(values: Float[np.ndarray, " batches"], confidence: float) -> Estimate:
    spread = values.std(ddof=1) / math.sqrt(len(values))
    return Estimate(
        float(values.mean()),
        float(spread * stats.t.ppf((1 + confidence) / 2, len(values) - 1)),
    )


@checked
def simulate(
    farm: Farm,
    policy: Policy,
    *,
    requests: int,
    seed: int,
    stages: int = 1,
    committed: bool = False,
    batches: int = 20,
    confidence: float = 0.99,
    levels: int = 400,
) -> Simulated:
    """Simulate ``requests`` arrivals in ``batches`` batches after one batch of warming up.

    Parameters
    ----------
    farm, policy
        What is simulated; beyond ``levels`` requests the policy's last row holds.
    requests, batches
        At least 2 batches of at least 100 requests.
    seed
        Seed of NumPy's generator.
    stages
        Shape of the Erlang setup, 0 for a constant one.
    committed
        Setups that run are not cancelled.
    confidence
        Level of the intervals.
    levels
        Requests up to which the policy is tabulated.
    """
    batches = integer("batches", batches, 2)
    requests = integer("requests", requests, 100 * batches)
    stages = integer("stages", stages, 0, 1000)
    levels = integer("levels", levels, 1)
    seed = integer("seed", seed, 0)
    confidence = between("confidence", confidence, 0, 1)
    releases = release_rates(policy, farm, levels)
    targets = checked_targets(policy, farm, levels)
    area_n, area_s, starts, length = _run(
        np.random.default_rng(seed),
        farm.arrival_rate,
        farm.service_rate,
        farm.setup_rate,
        targets,
        np.zeros(targets.shape) if releases is None else releases,
        stages,
        committed,
        requests,
        batches,
    )
    return Simulated(
        _interval(area_n / length / farm.arrival_rate, confidence),
        _interval(area_s / length, confidence),
        _interval(starts / length, confidence),
    )
