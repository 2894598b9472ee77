"""What stays on the edge node and what leaves it: what is decided here, bytes sent otherwise."""

from collections.abc import Sequence
from dataclasses import dataclass

from quire import checks
from quire.signatures import checked


@dataclass(frozen=True)
class Traffic:
    """The balance of a run.

    Attributes
    ----------
    alerts
        How many.
    escalated
        How many of them were sent on.
    sent_bytes
        Bytes that left the node.
    raw_bytes
        Bytes that would have left it had every raw window been sent.
    """

    alerts: int
    escalated: int
    sent_bytes: int
    raw_bytes: int

    @property
    def decided_here(self) -> float:
        """Share of alerts that were decided on the node."""
        return 1 - self.escalated / self.alerts

    @property
    def saved(self) -> float:
        """Share of the raw bytes that did not leave the node."""
        return 1 - self.sent_bytes / self.raw_bytes


@checked
def count_traffic(
    windows: Sequence[str], evidence: Sequence[str], escalate: Sequence[bool]
) -> Traffic:
    """Count what a run sent: the evidence of escalated alerts alone, in UTF-8.

    Raises
    ------
    ValueError
        For lengths that differ, no alert, or windows without a byte.
    """
    n = checks.integer("len(windows)", len(windows))
    for name, items in (("evidence", evidence), ("escalate", escalate)):
        if len(items) != n:
            raise ValueError(f"{name} = {len(items)} entries: must be as many as windows, {n}")
    raw = sum(len(text.encode()) for text in windows)
    if raw == 0:
        raise ValueError("windows = without a byte: must hold text")
    sent = sum(
        len(text.encode()) for text, away in zip(evidence, escalate, strict=True) if bool(away)
    )
    return Traffic(n, sum(map(bool, escalate)), sent, raw)
