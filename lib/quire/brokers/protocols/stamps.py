"""The 24 bytes that every message begins with: number, intended and actual time of sending.

Times are nanoseconds of ``CLOCK_MONOTONIC``, which all processes of one host share. Never compare
them with wall time, nor across hosts.
"""

import struct
from typing import NamedTuple

from quire.checks import integer

STAMP = struct.Struct("<Qqq")
LEAST_PAYLOAD = STAMP.size


class Stamp(NamedTuple):
    """What a message says of itself: number of its publisher, ns when due, ns when sent."""

    number: int
    due_ns: int
    sent_ns: int


def stamped(stamp: Stamp, size: int) -> bytes:
    """Return a payload of ``size`` bytes that begins with the stamp.

    Raises
    ------
    ValueError
        When ``size`` is below 24 or above 1 GiB, or a field does not fit.
    """
    size = integer("size", size, LEAST_PAYLOAD, 2**30)
    number = integer("number", stamp.number, 0, 2**64 - 1)
    due = integer("due_ns", stamp.due_ns, -(2**63), 2**63 - 1)
    sent = integer("sent_ns", stamp.sent_ns, -(2**63), 2**63 - 1)
    return STAMP.pack(number, due, sent) + bytes(size - STAMP.size)


def read_stamp(payload: bytes) -> Stamp:
    """Return the stamp at the head of a payload.

    Raises
    ------
    ValueError
        When the payload is shorter than a stamp.
    """
    if len(payload) < STAMP.size:
        raise ValueError(f"payload = {len(payload)} bytes: must hold at least {STAMP.size}")
    return Stamp(*STAMP.unpack_from(payload))
