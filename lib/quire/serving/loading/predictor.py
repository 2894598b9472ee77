"""What a scheduler can know of the costs it ranks by: a fit on earlier requests, noise, errors.

The third source is inside `stages.serve`: a moving average of the network's speed
(``half_life_s``), from which `Served.predicted_net_s` is told at each arrival.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from quire.checks import integer, non_negative, real_array
from quire.serving.loading.costs import LoadingCosts
from quire.serving.loading.requests import Requests
from quire.serving.loading.stages import Served


@dataclass(frozen=True)
class LinearCost:
    """Seconds of a prompt as a non-negative sum over 1, c, u, u c, u^2."""

    weights: Any

    def __post_init__(self) -> None:
        weights = real_array("weights", self.weights, 1, least=0.0)
        if weights.size != 5:
            raise ValueError(f"weights = {weights.size} numbers: must be 5")
        object.__setattr__(self, "weights", weights)

    def seconds(self, cached: Any, uncached: Any) -> Float[np.ndarray, " requests"]:
        """Return the predicted seconds."""
        return _features(cached, uncached) @ self.weights


def fit_linear_cost(cached: Any, uncached: Any, seconds: Any) -> LinearCost:
    """Fit a prompt's seconds to what was seen, by non-negative least squares of relative errors.

    Parameters
    ----------
    cached, uncached, seconds
        Of requests that were served; five or more.

    Raises
    ------
    ValueError
        When the shapes differ, a time is not positive, or there are fewer than five.
    """
    from scipy.optimize import nnls

    design = _features(cached, uncached)
    times = real_array("seconds", seconds, 1, above=0.0)
    if times.size != design.shape[0] or times.size < 5:
        raise ValueError(
            f"seconds = {times.size} numbers: must be five or more, one for each request"
        )
    scale = np.maximum(design.max(axis=0), 1e-300)
    weights, _ = nnls(design / scale / times[:, None], np.ones(times.size))
    return LinearCost(weights / scale)


def noisy(
    requests: Requests, costs: LoadingCosts, sigma: float | int, seed: int
) -> Float[np.ndarray, "3 requests"]:
    """Return stages whose network's time is multiplied by log-normal noise of median one.

    Parameters
    ----------
    requests, costs
        Which and at what cost.
    sigma
        Standard deviation of the logarithm.
    seed
        Of the random numbers.

    Raises
    ------
    ValueError
        When ``sigma`` is so large that a time overflows.
    """
    rng = np.random.default_rng(integer("seed", seed, 0))
    believed = requests.stage_s(costs)
    draws = non_negative("sigma", sigma) * rng.standard_normal(len(requests))
    if (np.abs(draws) > 300).any():
        raise ValueError(f"sigma = {sigma:g}: errors of a factor above e^300")
    believed[0] *= np.exp(draws)
    return believed


def network_error(served: Served) -> float:
    """Return how far the network's end was from what was told at the arrival, mean, in per cent.

    Of the time from the arrival to that end; of requests that load.
    """
    loads = served.remote > 0
    if not loads.any():
        return 0.0
    waited = served.net_s - served.requests.arrival_s
    told = served.predicted_net_s - served.requests.arrival_s
    return float(100 * np.mean(np.abs(told[loads] / waited[loads] - 1)))


def _features(cached: Any, uncached: Any) -> Float[np.ndarray, "requests 5"]:
    c = real_array("cached", np.atleast_1d(cached), 1, least=0.0)
    u = real_array("uncached", np.atleast_1d(uncached), 1, least=0.0)
    if c.size != u.size:
        raise ValueError(f"uncached = {u.size} numbers: must be as many as cached, {c.size}")
    return np.stack([np.ones_like(c), c, u, u * c, u * u], axis=1)
