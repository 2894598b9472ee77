"""The operating-system processes of a session: a user's whole life, and the dealer's.

A process gets its input through its pipe and keeps it in memory: nothing in clear ever lies on a
disk. When the caller is gone, however it ended, the pipe is closed and the process ends.
"""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from jaxtyping import UInt32

from quire.secure_sums.errors import KeyReuseError, LedgerError, ProtocolError
from quire.secure_sums.linear.zero_sum import draw_pads, seeded_entropy
from quire.secure_sums.wire.credentials import Credentials
from quire.secure_sums.wire.faults import InjectedFault, commit_fault
from quire.secure_sums.wire.ledger import KeyLedger
from quire.secure_sums.wire.node import (
    Mesh,
    Session,
    Traffic,
    connect_mesh,
    deal_over_sockets,
    receive_pad,
)

READY = "ready"


@dataclass(frozen=True)
class UserReport:
    """What one user ended with.

    Attributes
    ----------
    user
        Its number.
    digests
        SHA-256 of each sum that it output, in order of rounds.
    traffic
        Bytes on its connections.
    seconds
        Duration of each round, from the start that all have in common to its last byte.
    sums
        The last sums themselves, of user 0 only and as many as were asked for.
    error
        Why it stopped, or ``None``; ``at`` is when, on the machine's monotonic clock.
    """

    user: int
    digests: tuple[bytes, ...]
    traffic: Traffic
    seconds: tuple[float, ...]
    sums: tuple[UInt32[np.ndarray, " L"], ...] = ()
    error: Exception | None = None
    at: float = 0.0


@dataclass(frozen=True)
class UserOrders:
    """What the caller tells a user's process beside its input.

    Attributes
    ----------
    session, credentials
        What all have agreed on, and what this user alone knows.
    ledger
        Where its key ledger lies; in memory when ``None``.
    fault
        A fault that some user is to commit.
    keep
        How many of the last sums user 0 reports.
    """

    session: Session
    credentials: Credentials
    ledger: Path | None
    fault: InjectedFault | None
    keep: int


def dealer_process(
    session: Session, credentials: Credentials, ports: tuple[int, ...], seed: int | None
) -> None:
    """Draw the pads of all rounds, hand them out, and be gone."""
    entropy = os.urandom if seed is None else seeded_entropy(seed)
    pads = draw_pads(session.users, session.dealt() * session.length, entropy)
    with suppress(OSError, ProtocolError):  # the user that left says why
        deal_over_sockets(session, credentials, ports, pads)


def user_process(pipe: Connection, orders: UserOrders) -> None:
    """One user's process from the first port to its report."""
    with suppress(EOFError, ConnectionError):  # the caller is gone: so are we
        _user(pipe, orders)


def _user(pipe: Connection, orders: UserOrders) -> None:
    session, user = orders.session, orders.credentials.role
    digests: list[bytes] = []
    seconds: list[float] = []
    sums: deque[UInt32[np.ndarray, " L"]] = deque(maxlen=orders.keep if user == 0 else 0)
    traffic = Traffic()
    error: Exception | None = None
    backlog = socket.SOMAXCONN
    with (
        socket.create_server(("127.0.0.1", 0), backlog=backlog) as listener,
        socket.create_server(("127.0.0.1", 0), backlog=backlog) as dealt,
    ):
        pipe.send((listener.getsockname()[1], dealt.getsockname()[1]))
        words = np.frombuffer(pipe.recv_bytes(), dtype=np.uint32)
        ports = pipe.recv()
        try:
            ledger = KeyLedger(orders.ledger)
            pad = np.empty(session.dealt() * session.length, "u4")
            if len(pad):
                receive_pad(orders.credentials, dealt, pad)
            _wait_for_all(pipe)
            links = connect_mesh(session, orders.credentials, listener, ports)
            mesh = Mesh(session, orders.credentials, links, pad, ledger)
            traffic = mesh.traffic
            for number in range(session.rounds):
                start = _wait_for_all(pipe)
                if orders.fault and (orders.fault.user, orders.fault.round) == (user, number):
                    if number + 1 < session.rounds:
                        pipe.send(READY)  # nobody else has to wait for it
                    commit_fault(orders.fault.fault, mesh, number, words)
                    break
                total = mesh.sum_round(number, words)
                seconds.append(time.monotonic() - start)
                digests.append(hashlib.sha256(total.data).digest())
                sums.append(total)
            mesh.close()
        except (ProtocolError, KeyReuseError, LedgerError, ValueError) as problem:
            error = problem
        at = time.monotonic()
    pipe.send(UserReport(user, tuple(digests), traffic, tuple(seconds), tuple(sums), error, at))


def _wait_for_all(pipe: Connection) -> float:
    """Say that this user is ready; wait until all are, and until the start that they agree on."""
    pipe.send(READY)
    start = float(pipe.recv())
    time.sleep(max(0.0, start - time.monotonic()))
    return start
