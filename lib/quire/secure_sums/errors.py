"""What a secure sum refuses: the named exceptions of this package."""

from __future__ import annotations


class InfeasibleError(ValueError):
    """No protocol exists for these parameters, however long its keys."""


class KeyReuseError(RuntimeError):
    """A one-time pad was about to be used a second time."""


class LedgerError(RuntimeError):
    """The key ledger could not be written, so the pad must not be used."""


class PlatformError(RuntimeError):
    """The operating system lacks what real processes need here."""


class ProtocolError(RuntimeError):
    """A peer broke the protocol; its sum is withheld.

    Parameters
    ----------
    sender
        The user, or the dealer, whose frame or silence is at fault.
    problem
        What went wrong, in one line.
    """

    def __init__(self, sender: int, problem: str) -> None:
        self.sender = sender
        self.problem = problem
        who = "the dealer" if sender == DEALER else f"user {sender}"
        super().__init__(f"{who}: {problem}; the round's sum is withheld")

    def __reduce__(self) -> tuple[type[ProtocolError], tuple[int, str]]:
        """Keep sender and problem when the error travels between processes."""
        return (ProtocolError, (self.sender, self.problem))


DEALER = 0xFFFF
"""The dealer's number as a sender of frames."""
