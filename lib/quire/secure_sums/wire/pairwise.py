"""Pairwise masks from seeds: what deployed secure aggregation does, for comparison.

Every two users share a seed; each expands K-1 of them and adds or subtracts: Z_k = Σ_{j>k} P_kj -
Σ_{j<k} P_jk. The masks cancel in the sum, but a seed of s bits gives each pair no more than s bits
of key where the theorem asks for 32 per machine word: security is computational.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
from jaxtyping import UInt32

from quire.checks import integer
from quire.signatures import checked


@checked
def pair_seeds(user: int, users: int, secret: bytes) -> dict[int, bytes]:
    """Derive the seeds that a user shares with each other from one secret (for experiments).

    Raises
    ------
    ValueError
        When the user's number is outside 0 … K-1, or there is no secret.
    """
    users = integer("users", users, 1)
    user = integer("user", user, 0, users - 1)
    if not isinstance(secret, bytes) or not secret:
        raise ValueError("secret: must be bytes, at least one")
    seeds = {}
    for peer in range(users):
        low, high = sorted((user, peer))
        if peer != user:
            seeds[peer] = hashlib.sha256(
                secret + low.to_bytes(4, "big") + high.to_bytes(4, "big")
            ).digest()
    return seeds


@checked
def pairwise_pad(
    user: int, seeds: Mapping[int, bytes], length: int, number: int = 0
) -> UInt32[np.ndarray, " L"]:
    """Return Z_k as user k computes it online: one expansion of a generator per peer.

    Parameters
    ----------
    user
        k.
    seeds
        The seed shared with each other user.
    length
        Machine words.
    number
        The round: each has masks of its own.

    Raises
    ------
    ValueError
        When the user shares a seed with itself, or a number is negative or not whole.
    """
    user, length = integer("user", user, 0), integer("length", length, 0)
    number = integer("number", number, 0, 2**64 - 1)
    if not isinstance(seeds, Mapping):
        raise ValueError(f"seeds = {seeds!r}: must map each other user to a seed")
    if user in seeds:
        raise ValueError(f"user = {user}: seeds are shared with others, not with oneself")
    pad = np.zeros(length, dtype=np.uint32)
    for peer, seed in seeds.items():
        fresh = hashlib.sha256(seed + number.to_bytes(8, "big")).digest()
        generator = np.random.Generator(np.random.Philox(int.from_bytes(fresh[:16], "big")))
        expanded = np.frombuffer(generator.bytes(4 * length), dtype="<u4")
        if peer > user:
            pad += expanded
        else:
            pad -= expanded
    return pad
