"""A user that breaks the protocol on purpose, to see that nobody is fooled by it."""

from __future__ import annotations

import os
import signal
import socket
from typing import Literal, get_args

from quire.secure_sums.frames import HEADER_BYTES, Header, Kind, message_frame
from quire.secure_sums.node import Session

Fault = Literal[
    "killed", "cut short", "duplicated", "reordered", "wrong round", "wrong length",
    "wrong sender", "silent", "stranger",
]  # fmt: skip
FAULTS: tuple[Fault, ...] = get_args(Fault)


def faulty_bytes(fault: Fault, session: Session, user: int, number: int) -> bytes:
    """Return what a faulty user sends each peer in place of its message of round ``number``.

    Raises ``ValueError`` when the fault is unknown.
    """
    payload = os.urandom(session.payload)
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


def misbehave(
    fault: Fault, session: Session, user: int, number: int, links: dict[int, socket.socket]
) -> None:
    """Send the faulty bytes to every peer, then die, or read on until the peers have gone."""
    data = faulty_bytes(fault, session, user, number)
    for sock in links.values():
        sock.settimeout(4 * session.timeout)
        try:
            sock.sendall(data)
        except OSError:
            continue
    if fault == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    for sock in links.values():
        try:
            while sock.recv(1 << 16):
                pass
        except OSError:
            continue


def knock(port: int, session: Session) -> socket.socket:
    """Call a user's port as a stranger, with a token that is not the session's."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=session.timeout)
    wrong = bytes(b ^ 0xFF for b in session.token)
    sock.sendall(Header(0, 1, Kind.HELLO, len(wrong)).pack() + wrong)
    return sock
