"""Real numbers in words that wrap around: a signed fixed-point code whose sums cannot overflow.

q(x) = round(x·2^f) modulo 2^b, decoded by two's complement. The sum of K coded values inside ±c is
exact in the code iff K·(c·2^f + 1/2) < 2^(b-1); the code refuses to exist otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt32

from quire.checks import integer, positive, whole_array


@dataclass(frozen=True)
class Encoded:
    """Codes in machine words, and how many values were clipped to ±c on the way."""

    codes: UInt32[np.ndarray, "..."]
    saturated: int


@dataclass(frozen=True)
class FixedPoint:
    """A fixed-point code for the sum of K values in 32-bit words.

    Attributes
    ----------
    users
        K, how many values are added.
    frac_bits
        f: a step is 2^-f.
    clip
        c: the largest magnitude of a value.
    overflow
        What a value beyond ±c does: "raise", or "saturate" (clipped, and counted in `Encoded`).
    rounding
        "nearest", or "stochastic", which is unbiased and needs a generator.

    Raises
    ------
    OverflowError
        When K·(c·2^f + 1/2) >= 2^31 (for stochastic rounding, K·(c·2^f + 1)): sums could overflow.
    ValueError
        When K < 1, f is outside 0 … 30, or c is not a positive finite number.
    """

    users: int
    frac_bits: int = 20
    clip: float = 8.0
    overflow: Literal["raise", "saturate"] = "raise"
    rounding: Literal["nearest", "stochastic"] = "nearest"

    def __post_init__(self) -> None:
        object.__setattr__(self, "users", integer("users", self.users, 1))
        object.__setattr__(self, "frac_bits", integer("frac_bits", self.frac_bits, 0, 30))
        object.__setattr__(self, "clip", positive("clip", self.clip))
        if self.overflow not in ("raise", "saturate"):
            raise ValueError(f"overflow = {self.overflow!r}: 'raise' or 'saturate'")
        if self.rounding not in ("nearest", "stochastic"):
            raise ValueError(f"rounding = {self.rounding!r}: 'nearest' or 'stochastic'")
        if self.users * self.largest_code >= 2**31:
            raise OverflowError(
                f"{self.users} users x {self.clip} x 2^{self.frac_bits} does not fit 31 bits and a "
                f"sign: at most {self.most_users} users; lower frac_bits or clip"
            )

    @property
    def largest_code(self) -> Fraction:
        """The bound on a code's magnitude: c·2^f, and the most that rounding adds."""
        slack = Fraction(1, 2) if self.rounding == "nearest" else Fraction(1)
        return Fraction(self.clip) * 2**self.frac_bits + slack

    @property
    def most_users(self) -> int:
        """The largest K for which no sum overflows."""
        ratio = Fraction(2**31) / self.largest_code
        return int(ratio) - (ratio.denominator == 1)

    @property
    def step(self) -> float:
        """2^-f, the distance of neighbouring codes."""
        return 2.0**-self.frac_bits

    def encode(
        self, values: Float[np.ndarray, "..."], rng: np.random.Generator | None = None
    ) -> Encoded:
        """Code values; stochastic rounding draws from ``rng``, which must be private to the user.

        Raises
        ------
        ValueError
            When a value is not finite, or beyond ±c under the "raise" policy; the message names the
            first such index. Also when stochastic rounding has no ``rng``.
        """
        values = np.asarray(values)
        if values.dtype.kind not in "iuf":
            raise ValueError(f"values = an array of {values.dtype}: must hold real numbers")
        values = values.astype(np.float64)
        if not np.isfinite(values).all():
            raise ValueError(f"values[{_first(~np.isfinite(values))}] is not finite; nothing coded")
        beyond = np.abs(values) > self.clip
        saturated = int(np.count_nonzero(beyond))
        if saturated and self.overflow == "raise":
            raise ValueError(
                f"values[{_first(beyond)}] is beyond ±{self.clip}; raise clip, or choose "
                "overflow='saturate'"
            )
        scaled = np.clip(values, -self.clip, self.clip) if saturated else values
        scaled = scaled * 2.0**self.frac_bits
        if self.rounding == "stochastic":
            if rng is None:
                raise ValueError("stochastic rounding needs rng, a generator private to the user")
            scaled = np.floor(scaled + rng.random(scaled.shape))
        else:
            scaled = np.rint(scaled)
        return Encoded(scaled.astype(np.int64).astype(np.uint32), saturated)

    def decode(self, total: UInt32[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """Return the sum that a word stands for.

        Raises
        ------
        ValueError
            When ``total`` does not hold unsigned 32-bit words.
        """
        words = np.asarray(total)
        if words.dtype != np.uint32:
            words = whole_array("total", words, words.ndim, least=0, most=2**32 - 1)
        return words.astype(np.uint32).view(np.int32) * self.step

    def mean_error_bound(self) -> float:
        """Return the largest error of the decoded mean: half a step, or a step if stochastic."""
        return self.step if self.rounding == "stochastic" else self.step / 2


def _first(flags: np.ndarray) -> str:
    return ", ".join(str(i) for i in np.unravel_index(int(np.argmax(flags)), flags.shape))
