"""A user that breaks the protocol on purpose, to see that nobody is fooled by it."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress
from typing import Literal, get_args

import numpy as np
from jaxtyping import UInt32

from quire.secure_sums.frames import HEADER_BYTES, Header, Kind, message_frame
from quire.secure_sums.node import Mesh, Session

Fault = Literal[
    "killed", "cut short", "duplicated", "reordered", "wrong round", "wrong length",
    "wrong sender", "silent", "stranger",
]  # fmt: skip
FAULTS: tuple[Fault, ...] = get_args(Fault)


def faulty_bytes(fault: Fault, session: Session, user: int, number: int, payload: bytes) -> bytes:
    """Return what a faulty user sends each peer when its message of round ``number`` is due.

    ``payload`` is that message, so that nothing but the fault is wrong with it. Raises
    ``ValueError`` when the fault is unknown.
    """
    frame = message_frame(number, user, payload)
    later = message_frame(number + 1, user, payload)
    sent: dict[str, bytes] = {
        "killed": frame[: len(frame) // 2],
        "cut short": frame[: HEADER_BYTES + session.payload // 2] + frame[-HEADER_BYTES:] + later,
        "duplicated": frame + frame,
        "reordered": later + frame,
        "wrong round": message_frame(number + 7, user, payload),
        "wrong length": message_frame(number, user, payload[:-4]),
        "wrong sender": message_frame(number, (user + 1) % session.users, payload),
        "silent": b"",
        "stranger": b"",
    }
    if fault not in sent:
        raise ValueError(f"fault {fault!r} is none of {', '.join(FAULTS)}")
    return sent[fault]


def misbehave(fault: Fault, mesh: Mesh, number: int, words: UInt32[np.ndarray, " L"]) -> None:
    """Send the faulty bytes to every peer, then die, or read on until the peers have gone."""
    payload = mesh.message(number, words).tobytes()
    data = faulty_bytes(fault, mesh.session, mesh.user, number, payload)
    for sock in mesh.links.values():
        sock.settimeout(4 * mesh.session.timeout)
        with suppress(OSError):
            sock.sendall(data)
    if fault == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    for sock in mesh.links.values():
        with suppress(OSError):
            while sock.recv(1 << 16):
                pass


def knock(port: int, session: Session) -> socket.socket:
    """Call a user's port as a stranger, with a token that is not the session's."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=session.timeout)
    wrong = bytes(b ^ 0xFF for b in session.token)
    sock.sendall(Header(0, 1, Kind.HELLO, len(wrong)).pack() + wrong)
    return sock
