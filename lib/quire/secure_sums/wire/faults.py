"""Fault injection: a user that breaks the protocol on purpose, and callers that do not belong."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import UInt32

from quire.checks import integer
from quire.secure_sums.errors import DEALER, ProtocolError
from quire.secure_sums.wire.credentials import Credentials, call
from quire.secure_sums.wire.frames import HEADER_BYTES, Header, Kind, message_frame
from quire.secure_sums.wire.node import Mesh, Session

Fault = Literal[
    "killed", "cut short", "duplicated", "reordered", "wrong round", "wrong length",
    "wrong sender", "silent", "dripping",
]  # fmt: skip
FAULTS: tuple[Fault, ...] = get_args(Fault)
"""Everything a faulty user does here."""


@dataclass(frozen=True)
class InjectedFault:
    """Which user commits which fault, in which round.

    Raises
    ------
    ValueError
        When the fault is unknown, or a number is negative or not whole.
    """

    user: int
    fault: Fault
    round: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "user", integer("user", self.user, 0))
        object.__setattr__(self, "round", integer("round", self.round, 0))
        if self.fault not in FAULTS:
            raise ValueError(f"fault = {self.fault!r}: one of {', '.join(FAULTS)}")


@dataclass(frozen=True)
class Intruders:
    """Callers that do not belong to a session, or not where they call.

    Attributes
    ----------
    strays
        Callers without any secret on each user's ports: half of them silent, half talkative.
    impostor
        A user that calls its victim in the dealer's place before the dealer does, proves itself
        with its own secret, and would deal a pad of zeros.
    victim
        The user that the impostor calls.

    Raises
    ------
    ValueError
        When a number is negative or not whole.
    """

    strays: int = 0
    impostor: int | None = None
    victim: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "strays", integer("strays", self.strays, 0))
        object.__setattr__(self, "victim", integer("victim", self.victim, 0))
        if self.impostor is not None:
            object.__setattr__(self, "impostor", integer("impostor", self.impostor, 0))


def faulty_bytes(fault: Fault, session: Session, user: int, number: int, payload: bytes) -> bytes:
    """Return what a faulty user sends each peer when its message of round ``number`` is due.

    ``payload`` is that message, so that nothing but the fault is wrong with it.

    Raises
    ------
    ValueError
        When the fault is unknown.
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
        "dripping": frame,
    }
    if fault not in sent:
        raise ValueError(f"fault = {fault!r}: one of {', '.join(FAULTS)}")
    return sent[fault]


def commit_fault(fault: Fault, mesh: Mesh, number: int, words: UInt32[np.ndarray, " L"]) -> None:
    """Send the faulty bytes to every peer, then die, or read on until the peers have gone.

    A dripping user sends a byte at a time, often enough that no pause is as long as the timeout.
    """
    payload = mesh.message(number, words).tobytes()
    data = faulty_bytes(fault, mesh.session, mesh.user, number, payload)
    links = list(mesh.links.values())
    for sock in links:
        sock.settimeout(4 * mesh.session.timeout)
    if fault == "dripping":
        _drip(links, data, mesh.session.timeout)
        return
    for sock in links:
        with suppress(OSError):
            sock.sendall(data)
    if fault == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    for sock in links:
        with suppress(OSError):
            while sock.recv(1 << 16):
                pass


def _drip(links: list[socket.socket], data: bytes, timeout: float) -> None:
    """Send one byte every third of the timeout, for ten timeouts or until the peers have gone."""
    for byte in data[:30]:
        for sock in list(links):
            try:
                sock.sendall(bytes([byte]))
            except OSError:
                links.remove(sock)
        if not links:
            return
        time.sleep(timeout / 3)


def intrude(
    intruders: Intruders,
    ports: tuple[tuple[int, int], ...],
    credentials: dict[int, Credentials],
    timeout: float,
) -> list[socket.socket]:
    """Call where one does not belong, and return the connections that are to be kept open.

    Parameters
    ----------
    intruders
        Who calls.
    ports
        Where each user listens: to its peers, and to the dealer.
    credentials
        What each role knows; the impostor uses no more than its own.
    timeout
        Seconds after which the impostor gives up.
    """
    kept = []
    for number in range(intruders.strays):
        for pair in ports:
            for port in pair:
                sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
                if number % 2:
                    sock.sendall(b"GET / HTTP/1.1\r\nHost: stray\r\n\r\n" * 4)
                kept.append(sock)
    if intruders.impostor is not None:
        own = credentials[intruders.impostor].shared[intruders.victim]
        pretended = Credentials(DEALER, {intruders.victim: own})
        with suppress(ProtocolError, OSError):
            deadline = time.monotonic() + timeout
            sock = call(ports[intruders.victim][1], pretended, intruders.victim, deadline)
            sock.sendall(Header(0, DEALER, Kind.KEY, 1 << 12).pack() + bytes(1 << 12))
            kept.append(sock)
    return kept
