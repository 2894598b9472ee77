"""Histograms of high dynamic range: exact merging, percentiles to one part in a thousand.

A value v falls into the bucket ``floor(log2 v)`` with linear sub-buckets, as in Gil Tene's
HdrHistogram. The counts are integers, so merging is addition: associative and commutative.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from numpy.typing import ArrayLike

from quire.checks import integer, positive

_HALF = 1024  # linear steps between two powers of two; 3 significant digits
_MOST_ADDED = 50_000_000


@dataclass(frozen=True)
class Histogram:
    """Counts of values in ``[0, largest]``, in whole units.

    Attributes
    ----------
    counts
        How many values fell into each bucket.
    largest
        The largest value that is told apart; greater ones are counted as this and in ``beyond``.
    beyond
        How many values were greater.
    """

    counts: Int[np.ndarray, " buckets"]
    largest: int
    beyond: int = 0

    @classmethod
    def of(cls, values: object, *, largest: int = 120_000_000_000) -> "Histogram":
        """Return the histogram of whole, non-negative values (nanoseconds, say).

        Raises
        ------
        ValueError
            For negative values, fractions, NaN, or another shape than one axis.
        """
        largest = integer("largest", largest, 2 * _HALF, 2**62)
        found = np.asarray(values)
        if found.dtype.kind == "f" and found.size:
            if not np.isfinite(found).all() or (found != np.floor(found)).any():
                raise ValueError("values: must be whole numbers")
            if found.max() >= 2.0**62:
                raise ValueError("values: must be below 2^62")
        elif found.dtype.kind not in "iu" and found.size:
            raise ValueError(f"values = an array of {found.dtype}: must be whole numbers")
        if found.ndim != 1:
            raise ValueError(f"values = an array of shape {found.shape}: must have one axis")
        if found.size and found.min() < 0:
            raise ValueError(f"values = {found.min()}: must be zero or more")
        if found.dtype.kind == "u" and found.size and found.max() >= 2**62:
            raise ValueError("values: must be below 2^62")
        whole = found.astype(np.int64)
        size = int(bucket_of(np.array([largest]))[0]) + 1
        indices = bucket_of(np.minimum(whole, largest))
        counts = np.bincount(indices, minlength=size).astype(np.int64)
        return cls(counts, largest, int((whole > largest).sum()))

    @property
    def total(self) -> int:
        """How many values were counted."""
        return int(self.counts.sum())

    def merge(self, other: "Histogram") -> "Histogram":
        """Return the histogram of both sets of values.

        Raises
        ------
        ValueError
            When the two have different ranges.
        """
        if not isinstance(other, Histogram) or self.largest != other.largest:
            raise ValueError("other: must be a histogram of the same range")
        return Histogram(self.counts + other.counts, self.largest, self.beyond + other.beyond)

    def percentile(self, q: float) -> float:
        """Return the value that a share ``q`` of all values does not exceed.

        The highest value equal to the smallest bucket whose cumulated count reaches
        ``ceil(q n)``: never below the exact order statistic, at most one part in 1,024 above.

        Raises
        ------
        ValueError
            For ``q`` outside of [0, 1], or no values.
        """
        share = share_of(q)
        if not self.total:
            raise ValueError("percentile of a histogram without values")
        rank = max(1, int(np.ceil(share * self.total - 1e-9)))
        k = int(np.searchsorted(np.cumsum(self.counts), rank))
        return float(min(highest_of(np.array([k]))[0], self.largest))

    def mean(self) -> float:
        """Return the mean of the buckets' middles.

        Raises
        ------
        ValueError
            Without values.
        """
        if not self.total:
            raise ValueError("mean of a histogram without values")
        k = np.flatnonzero(self.counts)
        middle = (lowest_of(k) + highest_of(k)) / 2
        return float(np.average(middle, weights=self.counts[k]))

    def corrected(self, expected: int) -> "Histogram":
        """Return the histogram that an open loop would have seen, after a closed loop's.

        For every value v above the expected interval I, also ``v - I, v - 2 I, ...`` are counted,
        down to I (HdrHistogram's correction for coordinated omission).

        Raises
        ------
        ValueError
            When the interval is no positive integer, or so short that more than fifty million
            values would be added for one that was seen.
        """
        interval = integer("expected", expected)
        seen = np.flatnonzero(self.counts)
        if seen.size and int(highest_of(seen[-1:])[0]) // interval > _MOST_ADDED:
            raise ValueError(f"expected = {interval}: would add more than {_MOST_ADDED:,} values")
        counts = self.counts.copy()
        for k in seen:
            value = int(highest_of(np.array([k]))[0])
            missed = np.arange(value - interval, interval - 1, -interval, dtype=np.int64)
            if missed.size:
                np.add.at(counts, bucket_of(missed), int(self.counts[k]))
        return Histogram(counts, self.largest, self.beyond)


def bucket_of(values: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Return the bucket of each whole value: itself below 2,048, then 1,024 a power of two."""
    values = np.asarray(values, dtype=np.int64)
    _, exponents = np.frexp(np.maximum(values, 1).astype(np.float64))
    power = exponents.astype(np.int64) - 1
    # a double rounds 2^k - 1 up for k > 53
    power -= (values < (np.int64(1) << np.clip(power, 0, 62))) & (power > 0)
    shift = np.maximum(power - 10, 0)
    return np.where(shift > 0, (shift - 1) * _HALF + (values >> shift) + _HALF, values)


def lowest_of(buckets: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Return the least value of each bucket."""
    buckets = np.asarray(buckets, dtype=np.int64)
    shift = np.maximum(buckets // _HALF - 1, 0)
    return np.where(shift > 0, (buckets - shift * _HALF) << shift, buckets)


def highest_of(buckets: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Return the greatest value of each bucket."""
    buckets = np.asarray(buckets, dtype=np.int64)
    shift = np.maximum(buckets // _HALF - 1, 0)
    return lowest_of(buckets) + (np.int64(1) << shift) - 1


def share_of(q: float) -> float:
    """Return ``q`` as a share.

    Raises
    ------
    ValueError
        Outside of [0, 1].
    """
    try:
        share = float(q)
    except (TypeError, ValueError):
        share = np.nan
    if not 0 <= share <= 1:
        raise ValueError(f"q = {q!r}: must lie in [0, 1]")
    return share


def percentile_interval(
    samples: ArrayLike, q: float, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Return a distribution-free interval for a percentile of independent samples.

    The order statistics between which the binomial count of smaller samples lies with that
    confidence; an end is infinite where the samples cannot bound it.

    Raises
    ------
    ValueError
        For no samples, NaN, ``q`` or ``confidence`` outside of their ranges.
    """
    from scipy.stats import binom

    ordered = np.sort(np.asarray(samples, dtype=np.float64).ravel())
    if not ordered.size or np.isnan(ordered).any():
        raise ValueError("samples: must be numbers, at least one")
    share = share_of(q)
    level = positive("confidence", confidence)
    if level >= 1:
        raise ValueError(f"confidence = {confidence!r}: must lie below 1")
    n = ordered.size
    low = int(binom.ppf((1 - level) / 2, n, share))
    high = int(binom.ppf(1 - (1 - level) / 2, n, share)) + 1
    return (
        float(ordered[low - 1]) if low >= 1 else -np.inf,
        float(ordered[high - 1]) if high <= n else np.inf,
    )
