"""What a mask generator is worth as a key: its entropy against the theorem's R_Z >= 1.

The audit treats the generator as a function of seed bytes. It looks for the two faults that are
decidable from outside: seeds that are folded to fewer bits before use, and values that never occur.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log2

import numpy as np
from jaxtyping import Int
from scipy.stats import chisquare

from quire.checks import integer
from quire.signatures import checked

MaskGenerator = Callable[[bytes, int, int], Int[np.ndarray, " L"]]


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number by Holm's step-down method, in the given order."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for step, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - step) * p_values[i]))
        adjusted[i] = largest
    return adjusted


@dataclass(frozen=True)
class MaskAudit:
    """What one mask is worth.

    Attributes
    ----------
    folded_to_bits
        Bits that the seed is folded to before use; the seed's own length if no fold was seen.
    length, levels
        Symbols of the mask, and how many values a symbol should take.
    missing_levels
        Values that never occurred among the sampled symbols.
    uniform_p
        p-value of the χ² test of uniformity over all levels.
    uniform_p_seen
        The same over the levels that did occur.
    """

    folded_to_bits: int
    length: int
    levels: int
    missing_levels: tuple[int, ...]
    uniform_p: float
    uniform_p_seen: float

    @property
    def key_rate(self) -> float:
        """Most key symbols per mask symbol that the seed can carry; the theorem needs 1."""
        return min(1.0, self.folded_to_bits / (self.length * log2(self.levels)))


@checked
def audit_masks(
    generate: MaskGenerator,
    length: int,
    levels: int = 16,
    samples: int = 64_000,
    seed_bytes: int = 32,
    seed: int = 0,
) -> MaskAudit:
    """Audit ``generate(seed, levels, length)``, which returns symbols 0 … levels-1.

    Exchanging two words of a seed, or adding the same bits to both, changes the seed and, in a
    sound generator, the mask. If neither does for words of w bytes, the seed is folded by
    exclusive-or and carries 8w bits.

    Raises
    ------
    ValueError
        When a sampled symbol is outside 0 … levels-1, or a number is not whole and positive.
    """
    length, samples = integer("length", length, 1), integer("samples", samples, 1)
    seed_bytes = integer("seed_bytes", seed_bytes, 1)
    levels = integer("levels", levels, 2)
    rng = np.random.default_rng(integer("seed", seed, 0))
    folded = seed_bytes * 8
    for width in (1, 2, 4, 8, 16):
        if 2 * width < seed_bytes + 1 and _folds(generate, rng.bytes(seed_bytes), width, levels):
            folded = 8 * width
            break
    drawn = np.asarray(generate(rng.bytes(seed_bytes), levels, samples))
    if drawn.min() < 0 or drawn.max() >= levels:
        raise ValueError(
            f"the generator drew {drawn.min()} … {drawn.max()}, outside 0 … {levels - 1}"
        )
    counts = np.bincount(drawn, minlength=levels)
    missing = tuple(int(v) for v in np.flatnonzero(counts == 0))
    p, p_seen = (float(chisquare(c).pvalue) for c in (counts, counts[counts > 0]))
    return MaskAudit(folded, length, levels, missing, p, p_seen)


def _folds(generate: MaskGenerator, seed: bytes, width: int, levels: int) -> bool:
    swapped = seed[width : 2 * width] + seed[:width] + seed[2 * width :]
    flipped = bytes(b ^ 0x5A for b in seed[: 2 * width]) + seed[2 * width :]
    mask = generate(seed, levels, 256)
    return all(np.array_equal(mask, generate(other, levels, 256)) for other in (swapped, flipped))
