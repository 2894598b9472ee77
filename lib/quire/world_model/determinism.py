"""Hashes of states, chained: two runs are equal when their last hashes are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from jaxtyping import Shaped

from quire.signatures import checked
from quire.world_model.errors import WorldModelError


def state_hash(state: Shaped[np.ndarray, "..."]) -> str:
    """Return SHA-256 of an array's type, shape and bytes, in hexadecimal.

    Raises
    ------
    WorldModelError
        For an array of objects, whose bytes mean nothing.
    """
    array = np.ascontiguousarray(state)
    if array.dtype.hasobject:
        raise WorldModelError(f"state of {array.dtype}: must hold numbers")
    told = f"{array.dtype.newbyteorder('<').str}|{array.shape}|".encode()
    plain = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return hashlib.sha256(told + plain.tobytes()).hexdigest()


@checked
def chain(hashes: Iterable[str], start: str = "") -> str:
    """Return the hash of a sequence of hashes, each bound to all before it."""
    last = start
    for one in hashes:
        last = hashlib.sha256(f"{last}{one}".encode()).hexdigest()
    return last
