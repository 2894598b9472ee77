"""Lengths of requests as a distribution: the share F(t) of requests of at most t tokens."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from quire.checks import integer, positive, real_array

LISTED = 2**27
"""Sums over whole lengths go no further than this."""


@dataclass(frozen=True)
class Lengths:
    """Total lengths (prompt and answer) by points of their distribution function.

    Between two points F is linear, and it is 0 at length 0.

    Attributes
    ----------
    tokens
        Lengths, whole, increasing, 1 or more.
    shares
        F at each: from 0 to 1, never falling, 1 at the last.
    """

    tokens: Any
    shares: Any

    def __post_init__(self) -> None:
        tokens = real_array("tokens", self.tokens, 1, least=1.0)
        shares = real_array("shares", self.shares, 1, least=0.0)
        if tokens.size != shares.size:
            raise ValueError(f"shares = {shares.size} numbers: must be {tokens.size}, as tokens")
        if (tokens != np.rint(tokens)).any() or tokens.max() > 2**40:
            raise ValueError("tokens: must be whole numbers below 2^40")
        if (np.diff(tokens) <= 0).any():
            k = int(np.argmax(np.diff(tokens) <= 0))
            raise ValueError(f"tokens = ..., {tokens[k]:g}, {tokens[k + 1]:g}, ...: must increase")
        if (np.diff(shares) < 0).any():
            k = int(np.argmax(np.diff(shares) < 0))
            raise ValueError(
                f"shares = ..., {shares[k]:g}, {shares[k + 1]:g}, ...: must never decrease"
            )
        if abs(shares[-1] - 1) > 1e-9:
            raise ValueError(f"shares = ..., {shares[-1]:g}: must end at 1")
        object.__setattr__(self, "tokens", tuple(int(t) for t in tokens))
        object.__setattr__(self, "shares", tuple(min(1.0, float(s)) for s in shares))

    @property
    def longest(self) -> int:
        """The last length at which F grows."""
        grows = np.flatnonzero(np.diff((0.0, *self.shares)) > 0)
        return self.tokens[int(grows[-1])]

    def share(self, length: Any) -> float:
        """Return F: the share of requests of at most ``length`` tokens."""
        t = real_array("length", [length], 1)[0]
        if t <= 0:
            return 0.0
        before, below = 0, 0.0
        for at, share in zip(self.tokens, self.shares, strict=True):
            if t <= at:
                return below + (share - below) * (t - before) / (at - before)
            before, below = at, share
        return 1.0

    def up_to(self, length: Any) -> "Lengths":
        """Return the lengths among the points up to ``length``, their shares divided by the last.

        The upstream planner's rule: where ``length`` lies between two points, requests above the
        last point below it are left out.

        Raises
        ------
        ValueError
            When no request is that short.
        """
        limit = integer("length", length)
        kept = [(t, s) for t, s in zip(self.tokens, self.shares, strict=True) if t <= limit]
        if not kept or kept[-1][1] <= 0:
            raise ValueError(f"length = {limit}: no request is that short by the points of F")
        last = kept[-1][1]
        return Lengths(tuple(t for t, _ in kept), tuple(s / last for _, s in kept))

    def above(self, length: Any) -> "Lengths | None":
        """Return the lengths above ``length``; None where (almost) no request is that long.

        F is renormalised with its value at ``length``, interpolated.
        """
        limit = integer("length", length)
        below = self.share(limit)
        rest = 1.0 - below
        kept = [(t, s) for t, s in zip(self.tokens, self.shares, strict=True) if t > limit]
        if not kept or rest <= 1e-6:
            return None
        shares = [max(0.0, min(1.0, (s - below) / rest)) for _, s in kept]
        shares[-1] = 1.0
        return Lengths(tuple(t for t, _ in kept), tuple(shares))

    def weights(self, least: int = 1, most: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return every whole length and its probability, lengths outside the limits moved to them.

        Inside an interval between two points all whole lengths are equally likely.

        Parameters
        ----------
        least, most
            Limits; the window where an interval lies above it altogether.

        Raises
        ------
        ValueError
            For lengths too many to list.
        """
        least = integer("least", least, 0)
        limit = self.tokens[-1] if most is None else integer("most", most)
        if limit > LISTED:
            raise ValueError(f"most = {limit}: lengths up to 2^27 can be listed one by one")
        mass = np.zeros(limit + 1)
        before, below = 0, 0.0
        for at, share in zip(self.tokens, self.shares, strict=True):
            low, high = max(least, before + 1), min(limit, at)
            p = share - below
            if p > 0:
                if low <= high:
                    mass[low : high + 1] += p / (high - low + 1)
                else:
                    mass[limit] += p
            before, below = at, share
        lengths = np.flatnonzero(mass)
        return lengths, mass[lengths] / mass.sum()

    def mean(self) -> float:
        """Return the mean length, in tokens."""
        lengths, p = self.weights()
        return float((lengths * p).sum())

    def quantile(self, share: Any) -> int:
        """Return the least whole length t with F(t) of at least ``share``, above 0 and at most 1.

        Raises
        ------
        ValueError
            When an argument is outside what is allowed.
        """
        wanted = positive("share", share)
        if wanted > 1:
            raise ValueError(f"share = {wanted:g}: must be 1 or less")
        before, below = 0, 0.0
        for at, value in zip(self.tokens, self.shares, strict=True):
            if wanted <= value + 1e-15:
                if value == below:
                    return at
                return max(
                    1, math.ceil(before + (at - before) * (wanted - below) / (value - below))
                )
            before, below = at, value
        return self.tokens[-1]

    def sample(self, count: Any, seed: Any) -> np.ndarray:
        """Return so many random lengths.

        Parameters
        ----------
        count
            How many.
        seed
            Of the random numbers.
        """
        rng = np.random.default_rng(integer("seed", seed, 0))
        lengths, p = self.weights()
        return rng.choice(lengths, size=integer("count", count), p=p)


def split(length: Any, prompt_share: float = 0.8) -> tuple[Any, Any]:
    """Return prompt and answer of a total length, 80 to 20, each 1 at least.

    The split is the upstream planner's assumption: Azure's conversations are 85 to 15, its code
    requests 99 to 1.

    Raises
    ------
    ValueError
        For lengths that are no integers, or below 1.
    """
    total = np.asarray(length)
    if total.dtype.kind not in "iu" or (total.size and total.min() < 1):
        raise ValueError(f"length = {length!r}: must hold integers, 1 or more")
    total = total.astype(np.int64)
    n_in = np.maximum(1, (total * prompt_share).astype(np.int64))
    n_out = np.maximum(1, total - n_in)
    if total.ndim == 0:
        return int(n_in), int(n_out)
    return n_in, n_out


def read_lengths(path: str | Path) -> Lengths:
    """Return the lengths in a JSON file: rows [tokens, share], bare or under ``cdf``.

    Raises
    ------
    ValueError
        When the file holds no such rows; names the file.
    """
    name = Path(path).name
    try:
        raw = json.loads(Path(path).read_text(encoding="utf-8"))
        rows = raw["cdf"] if isinstance(raw, dict) else raw
        tokens, shares = zip(*((t, f) for t, f in rows), strict=True)
    except (ValueError, TypeError, KeyError) as fault:
        raise ValueError(f"path = {name}: holds no rows [tokens, share] ({fault!r})") from None
    try:
        return Lengths(tokens, shares)
    except ValueError as fault:
        raise ValueError(f"path = {name}: {fault}") from None


def lengths_of(total: Any, points: Any = None) -> Lengths:
    """Return the distribution of observed lengths.

    Parameters
    ----------
    total
        Tokens of each request, whole, 1 or more.
    points
        Lengths at which to keep F; those of the upstream files if None, and the longest request.

    Raises
    ------
    ValueError
        For lengths that are not whole.
    """
    seen = real_array("total", total, 1, least=1.0)
    if (seen != np.rint(seen)).any():
        raise ValueError("total: must hold whole numbers")
    longest = int(seen.max())
    at = np.array(POINTS if points is None else points, dtype=np.int64)
    kept = np.unique(np.append(at[at < longest], longest))
    shares = np.searchsorted(np.sort(seen), kept, side="right") / seen.size
    return Lengths(tuple(kept.tolist()), tuple(shares.tolist()))


POINTS = (
    64,
    128,
    256,
    512,
    768,
    1024,
    1536,
    2048,
    3072,
    4096,
    6144,
    8192,
    12288,
    16384,
    24576,
    32768,
    49152,
    65536,
)
