"""What the addresses of one wave access cost: bank conflicts, wide accesses, transactions."""

import numpy as np
from jaxtyping import Bool, Int64, UInt32

Addresses = UInt32[np.ndarray, "waves lanes"]
Active = Bool[np.ndarray, "waves lanes"]
WIDE = 16  # bytes that one lane of a wide access reads


def _distinct(
    items: Int64[np.ndarray, "waves lanes"],
) -> tuple[Int64[np.ndarray, " found"], Int64[np.ndarray, " found"]]:
    """Return row and value of every distinct entry of each row; entries below 0 do not count."""
    ordered = np.sort(items, axis=1)
    new = np.ones(items.shape, bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    rows, columns = np.nonzero(new & (ordered >= 0))
    return rows, ordered[rows, columns]


def _crowding(items: Int64[np.ndarray, "waves lanes"], groups: int) -> Int64[np.ndarray, " waves"]:
    """Count the distinct entries of each row in their most crowded residue modulo ``groups``."""
    rows, values = _distinct(items)
    counts = np.zeros((len(items), groups), np.int64)
    np.add.at(counts, (rows, values % groups), 1)
    return counts.max(axis=1)


def conflict_degree(
    addresses: Addresses, active: Active, banks: int = 32
) -> Int64[np.ndarray, " waves"]:
    """Count the passes that a local access of each wave needs: most distinct words in one bank.

    Banks are one 32-bit word wide. Lanes at the same word share one pass (broadcast, specification
    section 4.2). A wave without active lanes needs none.
    """
    return _crowding(np.where(active, addresses.astype(np.int64) >> 2, -1), banks)


def wide_passes(addresses: Addresses, banks: int = 32) -> Int64[np.ndarray, " waves"]:
    """Count the passes of a load of 16 bytes a lane, all lanes active.

    It is served half a wave at a time; within a half, distinct pieces of 16 bytes that lie in the
    same four banks take turns (measured: data/golden, hopper).
    """
    halves = (addresses // WIDE).astype(np.int64).reshape(2 * len(addresses), -1)
    return _crowding(halves, banks * 4 // WIDE).reshape(len(addresses), 2).sum(axis=1)


def transactions(
    addresses: Addresses, active: Active, width: int, line: int = 32
) -> Int64[np.ndarray, " waves"]:
    """Count the lines of ``line`` bytes that each wave touches with accesses of ``width`` bytes."""
    first = np.where(active, addresses.astype(np.int64) // line, -1)
    last = np.where(active, (addresses.astype(np.int64) + width - 1) // line, -1)
    rows, _ = _distinct(np.concatenate([first, last], axis=1))
    return np.bincount(rows, minlength=len(addresses)).astype(np.int64)


def multiplicity(addresses: Addresses, active: Active) -> Int64[np.ndarray, " waves"]:
    """Count the lanes of each wave at its most crowded address: rounds of a serial atomic."""
    counts = np.zeros(len(addresses), np.int64)
    for wave, (places, awake) in enumerate(zip(addresses, active, strict=True)):
        if awake.any():
            counts[wave] = np.unique(places[awake], return_counts=True)[1].max()
    return counts
