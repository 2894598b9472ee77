"""What the addresses of one wave access cost: bank conflicts, wide accesses, transactions."""

import numpy as np
from jaxtyping import Bool, Int64, UInt32

from quire.checks import integer, truths, whole_array

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


def _numbers(addresses: Addresses) -> Int64[np.ndarray, "waves lanes"]:
    found = whole_array("addresses", addresses, 2, least=0, most=2**32 - 1)
    if found.shape[1] == 0:
        raise ValueError(f"addresses = an array of shape {found.shape}: at least one lane a wave")
    return found


def conflict_degree(
    addresses: Addresses, active: Active, banks: int = 32
) -> Int64[np.ndarray, " waves"]:
    """Count the passes that a local access of each wave needs: most distinct words in one bank.

    Banks are one 32-bit word wide. Lanes at the same word share one pass (broadcast, specification
    section 4.2). A wave without active lanes needs none.
    """
    numbers = _numbers(addresses)
    words = np.where(truths("active", active, numbers.shape), numbers >> 2, -1)
    return _crowding(words, integer("banks", banks))


def wide_passes(addresses: Addresses, banks: int = 32) -> Int64[np.ndarray, " waves"]:
    """Count the passes of a load of 16 bytes a lane, all lanes active.

    It is served half a wave at a time; within a half, distinct pieces of 16 bytes that lie in the
    same four banks take turns (measured: data/golden, hopper).

    Raises
    ------
    ValueError
        a wave without halves, banks that are no multiple of four.
    """
    numbers = _numbers(addresses)
    if numbers.shape[1] % 2:
        raise ValueError(f"addresses = {numbers.shape[1]} lanes a wave: must be an even number")
    if integer("banks", banks) % (WIDE // 4):
        raise ValueError(f"banks = {banks}: must be a multiple of {WIDE // 4}")
    halves = (numbers // WIDE).reshape(2 * len(numbers), -1)
    return _crowding(halves, int(banks) * 4 // WIDE).reshape(len(numbers), 2).sum(axis=1)


def transactions(
    addresses: Addresses, active: Active, width: int, line: int = 32
) -> Int64[np.ndarray, " waves"]:
    """Count the lines of ``line`` bytes that each wave touches with accesses of ``width`` bytes."""
    numbers, size = _numbers(addresses), integer("line", line)
    awake = truths("active", active, numbers.shape)
    reach = integer("width", width) - 1
    steps = [*range(0, reach, size), reach]  # one byte in every line that an access covers
    lines = [np.where(awake, (numbers + step) // size, -1) for step in steps]
    rows, _ = _distinct(np.concatenate(lines, axis=1))
    return np.bincount(rows, minlength=len(numbers)).astype(np.int64)


def multiplicity(addresses: Addresses, active: Active) -> Int64[np.ndarray, " waves"]:
    """Count the lanes of each wave at its most crowded address: rounds of a serial atomic."""
    numbers = _numbers(addresses)
    counts = np.zeros(len(numbers), np.int64)
    flags = truths("active", active, numbers.shape)
    for wave, (places, awake) in enumerate(zip(numbers, flags, strict=True)):
        if awake.any():
            counts[wave] = np.unique(places[awake], return_counts=True)[1].max()
    return counts
