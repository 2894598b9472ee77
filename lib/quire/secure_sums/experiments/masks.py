"""What Flower's masks are worth, seed by seed: bits of key, values that never occur, uniformity."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from quire.secure_sums.peers.flower import audit_flower
from quire.secure_sums.wire.audits import holm


@dataclass(frozen=True)
class AuditRow:
    """One seed's audit of masks whose symbols have four bits.

    Attributes
    ----------
    seed
        Of the seeds that are given to the generator.
    folded_to_bits
        Bits of key in a whole mask, at most.
    missing
        Values from 0 to 15 that never occurred.
    uniform_p, uniform_p_seen
        p-values of the χ² test of uniformity over all sixteen values, and over those that occurred;
        each adjusted for the number of seeds by Holm's method.
    """

    seed: int
    folded_to_bits: int
    missing: tuple[int, ...]
    uniform_p: float
    uniform_p_seen: float

    @property
    def missing_values(self) -> str:
        """The missing values in words."""
        return ", ".join(map(str, self.missing)) or "none"


def audit_flower_masks(seeds: Iterable[int], length: int = 1) -> list[AuditRow]:
    """Audit Flower's mask generator once for each seed."""
    drawn = list(seeds)
    audits = [audit_flower(length, seed) for seed in drawn]
    over_all = holm([audit.uniform_p for audit in audits])
    over_seen = holm([audit.uniform_p_seen for audit in audits])
    return [
        AuditRow(seed, audit.folded_to_bits, audit.missing_levels, p, seen)
        for seed, audit, p, seen in zip(drawn, audits, over_all, over_seen, strict=True)
    ]
