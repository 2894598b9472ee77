"""Pairwise masks from seeds: what deployed secure aggregation does, for comparison.

Every two users share a seed; each expands K-1 of them and adds or subtracts: Z_k = Σ_{j>k} P_kj -
Σ_{j<k} P_jk. The masks cancel in the sum, but a seed of s bits gives each pair no more than s bits
of key where the theorem asks for 32 per word: security is computational.
"""

from __future__ import annotations

import hashlib

import numpy as np
from jaxtyping import UInt32


def pair_seed(secret: bytes, left: int, right: int) -> int:
    """Return the seed that two users share, derived from a session secret (order-free)."""
    low, high = sorted((left, right))
    digest = hashlib.sha256(secret + low.to_bytes(4, "big") + high.to_bytes(4, "big")).digest()
    return int.from_bytes(digest, "big")


def pairwise_pad(user: int, users: int, length: int, secret: bytes) -> UInt32[np.ndarray, " L"]:
    """Return Z_k as user k computes it online: K-1 expansions of a generator.

    Raises ``ValueError`` when the user's number is outside 0 … K-1.
    """
    if not 0 <= user < users:
        raise ValueError(f"user = {user} is outside 0 … {users - 1}")
    pad = np.zeros(length, dtype=np.uint32)
    for peer in range(users):
        if peer == user:
            continue
        generator = np.random.Generator(np.random.Philox(pair_seed(secret, user, peer) % 2**128))
        expanded = np.frombuffer(generator.bytes(4 * length), dtype="<u4")
        if peer > user:
            pad += expanded
        else:
            pad -= expanded
    return pad
