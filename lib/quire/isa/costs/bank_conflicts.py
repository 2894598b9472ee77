"""What the addresses of one wave access cost: bank conflicts, transactions, repeated addresses."""

import numpy as np
from jaxtyping import Bool, Int64, UInt32

Addresses = UInt32[np.ndarray, "waves lanes"]
Active = Bool[np.ndarray, "waves lanes"]


def conflict_degree(
    addresses: Addresses, active: Active, banks: int = 32
) -> Int64[np.ndarray, " waves"]:
    """Count the passes that a local access of each wave needs: most distinct words in one bank.

    Banks are one 32-bit word wide. Lanes at the same word share one pass (broadcast, specification
    section 4.2). A wave without active lanes needs none.
    """
    degrees = np.zeros(len(addresses), np.int64)
    for wave, (places, awake) in enumerate(zip(addresses, active, strict=True)):
        words = np.unique(places[awake] >> 2)
        if words.size:
            degrees[wave] = np.bincount(words % banks).max()
    return degrees


def transactions(
    addresses: Addresses, active: Active, width: int, line: int = 32
) -> Int64[np.ndarray, " waves"]:
    """Lines of ``line`` bytes that each wave touches with accesses of ``width`` bytes."""
    counts = np.zeros(len(addresses), np.int64)
    for wave, (places, awake) in enumerate(zip(addresses, active, strict=True)):
        here = places[awake].astype(np.int64)
        counts[wave] = np.unique(np.concatenate([here // line, (here + width - 1) // line])).size
    return counts


def multiplicity(addresses: Addresses, active: Active) -> Int64[np.ndarray, " waves"]:
    """Most lanes of each wave at one address: rounds of an atomic that is served one by one."""
    counts = np.zeros(len(addresses), np.int64)
    for wave, (places, awake) in enumerate(zip(addresses, active, strict=True)):
        if awake.any():
            counts[wave] = np.unique(places[awake], return_counts=True)[1].max()
    return counts
