"""Secure sums and means of real vectors inside one process: for training loops.

    dealt = deal(users=5, length=1000)
    total = secure_sum(gradients, dealt, FixedPoint(users=5))

The arithmetic, the pads and the refusals are those of the wire protocol; only the wire is missing.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, UInt32

from quire.secure_sums.linear.zero_sum import Entropy, draw_pads, mask, unmask
from quire.secure_sums.wire.fixed_point import FixedPoint
from quire.secure_sums.wire.ledger import KeyLedger
from quire.signatures import checked


@dataclass(frozen=True)
class DealtKeys:
    """One zero-sum pad per user, with the ledger that lets each word be used once.

    Attributes
    ----------
    name
        The dealer's identifier of this deal.
    pads
        Z_1 … Z_K, one row per user, which add up to zero.
    ledger
        Where uses are written down.

    Raises
    ------
    ValueError
        When the pads do not add up to zero, or are of fewer than three users.
    """

    name: str
    pads: UInt32[np.ndarray, "K L"]
    ledger: KeyLedger = field(default_factory=KeyLedger)

    def __post_init__(self) -> None:
        if np.ndim(self.pads) != 2 or len(self.pads) < 3:
            raise ValueError(f"pads has shape {np.shape(self.pads)}: (K, L) with K >= 3 is needed")
        if self.pads.sum(axis=0, dtype=np.uint32).any():
            raise ValueError("pads do not add up to zero: pads of one deal are needed")

    @property
    def left(self) -> int:
        """Words of each pad that no sum has used yet."""
        return self.pads.shape[1] - self.ledger.used(self.name)


@checked
def deal(
    users: int,
    length: int,
    entropy: Entropy = os.urandom,
    ledger: KeyLedger | None = None,
) -> DealtKeys:
    """Deal pads of ``length`` words to K users: enough for sums of so many values in all.

    The operating system's entropy is the default; `seeded_entropy` is for experiments only.

    Raises
    ------
    ValueError
        When K < 3 or ``length`` < 1.
    """
    pads = draw_pads(users, length, entropy)
    return DealtKeys(secrets.token_hex(16), pads, KeyLedger() if ledger is None else ledger)


@dataclass(frozen=True)
class SecureSum:
    """What every user ends up with, and what everyone has seen on the way.

    Attributes
    ----------
    total
        ΣW as real numbers.
    messages
        The broadcasts X_1 … X_K: all that a wire tap sees.
    saturated
        Values clipped to ±c.
    """

    total: Float[np.ndarray, " L"]
    messages: UInt32[np.ndarray, "K L"]
    saturated: int

    @property
    def mean(self) -> Float[np.ndarray, " L"]:
        """The mean over the users."""
        return self.total / len(self.messages)


@checked
def secure_sum(
    inputs: Float[np.ndarray, "K L"],
    keys: DealtKeys,
    coding: FixedPoint,
    rng: np.random.Generator | None = None,
) -> SecureSum:
    """Add K private vectors so that nobody learns more than the sum.

    Each call uses up the next L words of the pads.

    Parameters
    ----------
    inputs
        Row k is user k's private vector.
    keys
        From `deal`.
    coding
        A fixed-point code for (at least) K users.
    rng
        For stochastic rounding; private to the users.

    Raises
    ------
    ValueError
        When shapes disagree, the code is for fewer users, or the pads have too few words left.
    KeyReuseError
        When the ledger knows these words as used.
    LedgerError
        When the ledger cannot be written.
    """
    inputs = np.asarray(inputs, dtype=np.float64)
    users, length = keys.pads.shape
    if inputs.ndim != 2 or inputs.shape[0] != users:
        raise ValueError(
            f"inputs has shape {inputs.shape}; expected one row for each of {users} users"
        )
    if coding.users < users:
        raise ValueError(f"the code is proved for {coding.users} users, not {users}; build another")
    if inputs.shape[1] > keys.left:
        raise ValueError(
            f"{inputs.shape[1]} values need as many pad words; {keys.left} of {length} are left: "
            "deal new keys"
        )
    start = length - keys.left
    span = slice(start, start + inputs.shape[1])
    coded = coding.encode(inputs, rng)
    keys.ledger.claim(keys.name, span.start, span.stop)
    pads = keys.pads[:, span]
    messages = mask(coded.codes, pads)
    totals = [unmask(np.delete(messages, u, axis=0), coded.codes[u], pads[u]) for u in range(users)]
    return SecureSum(coding.decode(totals[0]), messages, coded.saturated)
