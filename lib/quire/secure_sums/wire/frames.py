"""Frames on the wire: a 16-byte header, the payload, and for messages a 16-byte footer.

Header and footer, little endian: round u32, sender u16, kind u16, payload length in bytes u64. The
footer repeats the header with another kind: a payload shorter or longer than its header said puts
something else in the footer's place, so no sum is ever made of a frame that was cut.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

HEADER = struct.Struct("<IHHQ")
HEADER_BYTES = HEADER.size


class Kind(IntEnum):
    """What a frame carries."""

    HELLO = 1  # who is calling, and the proof of it
    KEY = 2  # a pad, from the dealer
    MESSAGE = 3  # X_k
    END = 4  # the footer of a message


@dataclass(frozen=True)
class Header:
    """The first 16 bytes of a frame."""

    round: int
    sender: int
    kind: int
    length: int

    def pack(self) -> bytes:
        """Return the header's bytes."""
        return HEADER.pack(self.round, self.sender, self.kind, self.length)

    @classmethod
    def unpack(cls, data: bytes | bytearray) -> Header:
        """Read a header from 16 bytes."""
        return cls(*HEADER.unpack(data))


def message_frame(round_number: int, sender: int, payload: bytes) -> bytes:
    """Return the whole frame of a message."""
    header = Header(round_number, sender, Kind.MESSAGE, len(payload))
    return header.pack() + payload + footer_of(header).pack()


def footer_of(header: Header) -> Header:
    """Return the footer that has to follow a message of this header."""
    return Header(header.round, header.sender, Kind.END, header.length)


def fault_in(header: Header, expected: Header) -> str | None:
    """Return what is wrong with a header, or ``None`` when it is the expected one."""
    if header == expected:
        return None
    if header.sender != expected.sender:
        return f"a frame that claims to be from user {header.sender}"
    if header.kind != expected.kind:
        return f"a frame of kind {header.kind} where kind {expected.kind} is due"
    if header.round < expected.round:
        return f"a second frame for round {header.round} (now round {expected.round}): a duplicate"
    if header.round > expected.round:
        return f"a frame of round {header.round} out of order; round {expected.round} is due"
    return f"a frame of {header.length} bytes; {expected.length} are due"
