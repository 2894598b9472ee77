"""What a secure sum refuses: the named exceptions of this package."""

from __future__ import annotations


class InfeasibleError(ValueError):
    """No protocol exists for these parameters, however long its keys."""


class KeyReuseError(RuntimeError):
    """A one-time pad was about to be used a second time."""


class ProtocolError(RuntimeError):
    """A peer broke the protocol; ``sender`` names it, and its sum is withheld.

    Parameters
    ----------
    sender
        The user whose frame or silence is at fault; ``None`` for a stranger that has no number.
    problem
        What went wrong, in one line.
    """

    def __init__(self, sender: int | None, problem: str) -> None:
        self.sender = sender
        self.problem = problem
        who = "a stranger" if sender is None else f"user {sender}"
        super().__init__(f"{who}: {problem}; the round's sum is withheld")

    def __reduce__(self) -> tuple[type[ProtocolError], tuple[int | None, str]]:
        """Keep sender and problem when the error travels between processes."""
        return (ProtocolError, (self.sender, self.problem))
