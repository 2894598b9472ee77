"""One message to S subscribers: they are served in turn, so delivery times spread evenly."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from quire.brokers.measuring.histograms import share_of
from quire.checks import integer, non_negative, positive, real_array

_MOST_DELIVERIES = 50_000_000


@dataclass(frozen=True)
class FanOut:
    """A message costs ``per_message_s`` and each of its deliveries ``per_delivery_s``."""

    per_message_s: float
    per_delivery_s: float

    def __post_init__(self) -> None:
        if (
            non_negative("per_message_s", self.per_message_s)
            + non_negative("per_delivery_s", self.per_delivery_s)
            == 0
        ):
            raise ValueError("per_message_s, per_delivery_s: one of them must be positive")

    def round_s(self, subscribers: int) -> float:
        """Return the time of one round, ``a + g S``."""
        return self.per_message_s + self.per_delivery_s * integer("subscribers", subscribers)

    def deliveries_per_s(self, subscribers: int) -> float:
        """Return the most deliveries a second of one core, ``S / (a + g S)``."""
        return integer("subscribers", subscribers) / self.round_s(subscribers)

    def percentile_s(self, q: float, subscribers: int) -> float:
        """Return a percentile of the delivery time of an undisturbed round."""
        return self.per_message_s + share_of(q) * self.per_delivery_s * integer(
            "subscribers", subscribers
        )


def fit_fanout(subscribers: ArrayLike, round_s: ArrayLike) -> FanOut:
    """Fit ``a + g S`` to the times of rounds by least squares, with both kept at zero or more.

    Raises
    ------
    ValueError
        For fewer than two levels, or numbers that are not positive.
    """
    from scipy.optimize import nnls

    sizes = real_array("subscribers", subscribers, 1, above=0.0)
    rounds = real_array("round_s", round_s, 1, above=0.0)
    if sizes.shape != rounds.shape or np.unique(sizes).size < 2:
        raise ValueError("subscribers, round_s: must hold two levels or more, one round for each")
    found, _ = nnls(np.stack([np.ones_like(sizes), sizes], axis=1), rounds)
    return FanOut(float(found[0]), float(found[1]))


def dispatch(
    subscribers: int,
    per_delivery_s: float,
    *,
    rounds: int = 100,
    jitter: float = 0.0,
    seed: int = 0,
) -> Float[np.ndarray, " deliveries"]:
    """Simulate rounds in which subscribers are served one after the other.

    ``jitter`` is the coefficient of variation of one delivery (gamma distributed).

    Raises
    ------
    ValueError
        For numbers that are not positive, or more than fifty million deliveries.
    """
    size = integer("subscribers", subscribers)
    step = positive("per_delivery_s", per_delivery_s)
    rounds = integer("rounds", rounds)
    integer("subscribers * rounds", size * rounds, 1, _MOST_DELIVERIES)
    variation = non_negative("jitter", jitter)
    if variation == 0:
        steps = np.full((rounds, size), step)
    else:
        shape = 1 / variation**2
        random = np.random.default_rng(integer("seed", seed, 0))
        steps = random.gamma(shape, step / shape, (rounds, size))
    return np.cumsum(steps, axis=1).ravel()


PERCENTILES = {"p25, p50, p75": (0.25, 0.5, 0.75), "p50, p95, p99": (0.5, 0.95, 0.99)}
"""What three columns of latencies may be."""


def which_percentiles(first: float, second: float, third: float) -> str:
    """Return which percentiles of an even spread three ascending latencies look like.

    The two ratios of neighbours are compared with those of ``q1:q2:q3``, in logarithms.

    Raises
    ------
    ValueError
        For latencies that are not positive, or not ascending.
    """
    a, b, c = (
        positive(name, value)
        for name, value in (("first", first), ("second", second), ("third", third))
    )
    if not a <= b <= c:
        raise ValueError(f"first, second, third = {a:g}, {b:g}, {c:g}: must ascend")
    seen = np.log([b / a, c / b])

    def distance(name: str) -> float:
        low, middle, high = PERCENTILES[name]
        return float(np.hypot(*(seen - np.log([middle / low, high / middle]))))

    return min(PERCENTILES, key=distance)
