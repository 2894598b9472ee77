"""Exact selective untraining: sufficient statistics in whole numbers, which can be taken back.

Features and targets are rounded to multiples of 2^-s once; from then on nothing is rounded before
the solve. Whole numbers add and subtract without a trace of order, so that what is left after a
shard is forgotten *is* what would have been, had it never been seen, and the same bytes follow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from quire.checks import integer, non_negative, real_array
from quire.signatures import checked
from quire.world_model.errors import StatisticsOverflow, UnknownShard, WorldModelError

_LIMB = 24
Whole = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Statistics:
    """Whole-number statistics of rows: Gram matrix, moments, squares of targets, count.

    Attributes
    ----------
    gram
        Sum of ``z z'``, in units of 2^(-2 shift).
    moment
        Sum of ``z t``, one a feature.
    square
        Sum of ``t^2``.
    count
        Number of rows.
    shift
        Features and targets are rounded to multiples of 2^-shift.
    """

    gram: Whole
    moment: tuple[int, ...]
    square: int
    count: int
    shift: int

    def __add__(self, other: Statistics) -> Statistics:
        """Return the statistics of both sets of rows."""
        return self._with(other, 1)

    def __sub__(self, other: Statistics) -> Statistics:
        """Return the statistics without the other's rows.

        Raises
        ------
        WorldModelError
            When there are not so many rows.
        """
        if other.count > self.count:
            raise WorldModelError(f"{other.count} rows can not be taken from {self.count}")
        return self._with(other, -1)

    def digest(self) -> str:
        """Return the SHA-256 of all numbers, in hexadecimal."""
        numbers = [
            self.shift,
            self.count,
            self.square,
            *self.moment,
            *(g for row in self.gram for g in row),
        ]
        return hashlib.sha256(",".join(map(str, numbers)).encode()).hexdigest()

    def bits(self) -> int:
        """Return the length of the largest number, its sign aside."""
        numbers = [self.square, *self.moment, *(g for row in self.gram for g in row)]
        return max(abs(n).bit_length() for n in numbers)

    def _with(self, other: Statistics, sign: int) -> Statistics:
        if (len(self.moment), self.shift) != (len(other.moment), other.shift):
            raise WorldModelError("statistics: must have the same features and shift")
        gram = tuple(
            tuple(a + sign * b for a, b in zip(left, right, strict=True))
            for left, right in zip(self.gram, other.gram, strict=True)
        )
        moment = tuple(a + sign * b for a, b in zip(self.moment, other.moment, strict=True))
        return Statistics(
            gram,
            moment,
            self.square + sign * other.square,
            self.count + sign * other.count,
            self.shift,
        )


def statistics(
    features: Float[np.ndarray, "rows features"],
    targets: Float[np.ndarray, " rows"],
    shift: int = 24,
) -> Statistics:
    """Return the exact statistics of rows, after one rounding of their entries.

    Sums are taken in two limbs of 24 bits, each exact in 64-bit integers.

    Raises
    ------
    StatisticsOverflow
        When an entry needs more than 48 bits, or there are 2^15 rows or more in one call's block.
    WorldModelError
        When rows and targets do not fit.
    """
    s = integer("shift", shift, 0, 40)
    x, y = real_array("features", features, 2), real_array("targets", targets, 1)
    if len(x) != len(y):
        raise WorldModelError(f"{len(x)} rows of features, {len(y)} targets: must be as many")
    z = np.column_stack([x, y])
    if np.abs(z).max() * 2.0**s >= 2.0**47:
        raise StatisticsOverflow(
            f"entries of {np.abs(z).max():g} at shift {s}: must stay below 2^47"
        )
    whole = np.rint(z * 2.0**s).astype(np.int64)
    total = np.zeros((z.shape[1], z.shape[1]), dtype=object)
    for begin in range(0, len(whole), 1 << 14):  # 2 * 24 + 14 bits stay below 63
        part = whole[begin : begin + (1 << 14)]
        high, low = part >> _LIMB, part & ((1 << _LIMB) - 1)
        mixed = high.T @ low
        total = total + (
            (high.T @ high).astype(object) * (1 << 2 * _LIMB)
            + (mixed + mixed.T).astype(object) * (1 << _LIMB)
            + (low.T @ low).astype(object)
        )
    d = x.shape[1]
    gram = tuple(tuple(int(v) for v in row[:d]) for row in total[:d])
    return Statistics(gram, tuple(int(v) for v in total[:d, d]), int(total[d, d]), len(x), s)


@checked
def solve(found: Statistics, ridge: float = 0.0) -> Float[np.ndarray, " features"]:
    """Return the ridge regression of the statistics, the same bits for the same whole numbers.

    A Cholesky factorisation in a fixed order of operations, in double precision, with the Gram
    matrix scaled to a unit diagonal; no library's threads take part.

    Parameters
    ----------
    found
        The statistics.
    ridge
        Added to the diagonal, in the features' own units squared.

    Raises
    ------
    WorldModelError
        When the Gram matrix is singular to working precision.
    """
    penalty = non_negative("ridge", ridge)
    d, unit = len(found.moment), 2.0 ** (-2 * found.shift)
    a = [
        [float(found.gram[i][j]) * unit + (penalty if i == j else 0.0) for j in range(d)]
        for i in range(d)
    ]
    if any(a[i][i] <= 0.0 for i in range(d)):
        raise WorldModelError("statistics: a feature is zero everywhere; use a ridge")
    scale = [a[i][i] ** 0.5 for i in range(d)]
    lower = [[0.0] * d for _ in range(d)]
    for i in range(d):
        for j in range(i + 1):
            rest = a[i][j] / (scale[i] * scale[j])
            for k in range(j):
                rest -= lower[i][k] * lower[j][k]
            if i == j:
                if not rest > 1e-14:
                    raise WorldModelError(
                        "statistics: features are linearly dependent; use a ridge"
                    )
                lower[i][i] = rest**0.5
            else:
                lower[i][j] = rest / lower[j][j]
    half = [0.0] * d
    for i in range(d):
        rest = float(found.moment[i]) * unit / scale[i]
        for k in range(i):
            rest -= lower[i][k] * half[k]
        half[i] = rest / lower[i][i]
    theta = [0.0] * d
    for i in reversed(range(d)):
        rest = half[i]
        for k in range(i + 1, d):
            rest -= lower[k][i] * theta[k]
        theta[i] = rest / lower[i][i]
    return np.array([t / s for t, s in zip(theta, scale, strict=True)])


@dataclass(frozen=True)
class Learner:
    """Shards that were learned, by name, and their sum; every method returns a new learner.

    Attributes
    ----------
    shards
        The statistics of each shard.
    total
        Their sum, None before the first.
    """

    shards: Mapping[str, Statistics] = field(default_factory=dict)
    total: Statistics | None = None

    def learn(self, name: str, found: Statistics) -> Learner:
        """Return the learner that has seen one more shard.

        Raises
        ------
        WorldModelError
            When a shard of that name has been learned.
        """
        if not isinstance(name, str) or not name or name in self.shards:
            raise WorldModelError(f"name = {name!r}: must be a new name")
        total = found if self.total is None else self.total + found
        return Learner({**self.shards, name: found}, total)

    def forget(self, name: str) -> Learner:
        """Return the learner that has never seen a shard.

        Raises
        ------
        UnknownShard
            When it was not learned.
        """
        if name not in self.shards:
            raise UnknownShard(f"name = {name!r}: must be one of {sorted(self.shards)}")
        rest = {k: v for k, v in self.shards.items() if k != name}
        assert self.total is not None
        return Learner(rest, self.total - self.shards[name] if rest else None)

    def digest(self) -> str:
        """Return the SHA-256 of the shards' names and digests, and of the sum, order aside."""
        parts = [f"{name}:{found.digest()}" for name, found in sorted(self.shards.items())]
        parts.append(self.total.digest() if self.total else "")
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
