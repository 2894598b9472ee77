"""How many messages a second a broker can pass, from its processor time at lower loads.

**Utilisation law**: ``U = u0 + s lambda`` cores; the capacity is where U reaches the cores that the
broker can use. **Batching**: a server that takes all that waits, k messages at ``A + B k`` seconds.
It grows cheaper as batches grow, so it is saturated at 1/B and not at 1/(A+B).
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from quire.checks import non_negative, positive, real_array

_LEAST_LEVELS = 3
_REACH = 9.0, 3.0  # e-folds below and above the usual cost that a fit may go


class InsufficientLevels(ValueError):
    """Too few levels of load to fit a law to."""


class NotIdentified(ValueError):
    """The levels do not tell the parts of a law from one another."""


@dataclass(frozen=True)
class Utilisation:
    """``U = idle + per_message_s * rate``, in cores."""

    idle: float
    per_message_s: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.idle):
            raise ValueError(f"idle = {self.idle!r}: must be a finite number")
        positive("per_message_s", self.per_message_s)

    def cores(self, rate_per_s: float) -> float:
        """Return the cores in use at a rate."""
        return self.idle + self.per_message_s * non_negative("rate_per_s", rate_per_s)

    def capacity_per_s(self, cores: float) -> float:
        """Return the rate at which that many cores are in use; zero when idling takes them all."""
        return max(0.0, (positive("cores", cores) - self.idle) / self.per_message_s)


def fit_utilisation(rate_per_s: ArrayLike, cores: ArrayLike) -> Utilisation:
    """Fit the utilisation law by least squares; the order of the levels does not matter.

    Raises
    ------
    InsufficientLevels
        For fewer than three different rates.
    ValueError
        When processor time does not grow with the rate, or an array is no array of numbers.
    """
    rates, used = _levels(rate_per_s, cores)
    order = np.lexsort((used, rates))
    rates, used = rates[order], used[order]
    middle = rates.mean()
    slope = float(((rates - middle) * (used - used.mean())).sum() / ((rates - middle) ** 2).sum())
    if slope <= 0:
        raise ValueError(f"cores: must grow with the rate (slope {slope:.3g})")
    return Utilisation(idle=float(used.mean() - slope * middle), per_message_s=slope)


@dataclass(frozen=True)
class Batching:
    """A batch costs ``per_batch_s``, and each of its messages ``per_message_s``."""

    per_batch_s: float
    per_message_s: float

    def __post_init__(self) -> None:
        non_negative("per_batch_s", self.per_batch_s)
        positive("per_message_s", self.per_message_s)

    def capacity_per_s(self) -> float:
        """Return the rate that batches of any size can pass, 1/B."""
        return 1 / self.per_message_s

    def batch(self, rate_per_s: float) -> float:
        """Return the mean size of a batch at a rate, infinite from the capacity on.

        The fixed point of ``k = lambda (A + B k) + exp(-lambda (A + B k))``: what comes during one
        batch is the next; when nothing came, the server waits for one message.
        """
        from scipy.optimize import brentq

        rate = non_negative("rate_per_s", rate_per_s)
        if rate * self.per_message_s >= 1:
            return math.inf
        if rate == 0:
            return 1.0

        def excess(k: float) -> float:
            busy = rate * (self.per_batch_s + self.per_message_s * k)
            return busy + math.exp(-busy) - k

        # excess falls from the first end, where it is not negative, to the second
        most = (rate * self.per_batch_s + 1) / (1 - rate * self.per_message_s)
        if excess(1.0) <= 0 or excess(most) >= 0:
            return 1.0 if excess(1.0) <= 0 else most
        return float(brentq(excess, 1.0, most, xtol=1e-12))

    def busy_share(self, rate_per_s: float) -> float:
        """Return the share of time in which the server works, below one until its capacity."""
        rate = non_negative("rate_per_s", rate_per_s)
        if rate == 0:
            return 0.0
        size = self.batch(rate)
        if math.isinf(size):
            return 1.0
        span = self.per_batch_s + self.per_message_s * size
        return span / (span + math.exp(-rate * span) / rate)

    def cost_s(self, rate_per_s: float) -> float:
        """Return processor seconds per message at a rate, ``A / k + B``."""
        return self.per_batch_s / self.batch(rate_per_s) + self.per_message_s


def fit_batching(rate_per_s: ArrayLike, busy_share: ArrayLike) -> Batching:
    """Fit the batching law to one server's busy share, by least squares from several starts.

    Raises
    ------
    InsufficientLevels
        For fewer than three different rates.
    NotIdentified
        Where the best fit has no cost per message, or none per batch, to speak of: it lies at the
        end of what is searched, and any other end would fit as well.
    ValueError
        For shares outside of [0, 1.2] (a sampler may overshoot), of which half or more are zero,
        or arrays that are none.
    """
    from scipy.optimize import least_squares

    rates, used = _levels(rate_per_s, busy_share)
    if used.max() > 1.2:
        raise ValueError(f"busy_share = {used.max():.3g}: one server is busy at most all the time")
    used = np.minimum(used, 1.0)

    def misses(logs: Float[np.ndarray, " two"]) -> Float[np.ndarray, " levels"]:
        law = Batching(*(float(x) for x in np.exp(logs)))
        return np.array([law.busy_share(float(r)) for r in rates]) - used

    first = float(np.median(used / rates))
    if first == 0:
        raise ValueError(
            "busy_share: half of the levels or more are zero, so nothing can be fitted"
        )
    best = None
    low, high = np.log(first) - _REACH[0], np.log(first) + _REACH[1]
    for share in (0.1, 0.3, 0.6, 0.9):
        start = np.log([first * (1 - share), first * share])
        found = least_squares(misses, start, bounds=(low, high))
        if best is None or found.cost < best.cost:
            best = found
    assert best is not None
    law = Batching(*(float(x) for x in np.exp(best.x)))
    for name, at in zip(("batch", "message"), best.x, strict=True):
        if not low + 0.5 < at < high - 0.5:
            raise NotIdentified(
                f"rate_per_s, busy_share: do not tell the cost of a {name} "
                f"({1e6 * float(np.exp(at)):.3g} us is the end of what is searched)"
            )
    return law


def _levels(
    rate_per_s: ArrayLike, used: ArrayLike
) -> tuple[Float[np.ndarray, " levels"], Float[np.ndarray, " levels"]]:
    rates = real_array("rate_per_s", rate_per_s, 1, above=0.0)
    cores = real_array("cores", used, 1, least=0.0)
    if rates.shape != cores.shape:
        raise ValueError(f"cores = {cores.size} levels: must be {rates.size}, one for each rate")
    if np.unique(rates).size < _LEAST_LEVELS:
        raise InsufficientLevels(
            f"rate_per_s = {np.unique(rates).size} levels: must be {_LEAST_LEVELS} or more"
        )
    return rates, cores
