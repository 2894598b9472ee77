"""The whole protocol between real processes: a dealer, K users, TCP on the loopback interface.

The dealer is a process of its own that hands every user its pad over a separate socket and is gone
before the first round. The caller starts the processes, hands each its input, and collects what
each reports; no pad or message passes through it on the way to a sum.
"""

from __future__ import annotations

import multiprocessing as mp
import secrets
import signal
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
from jaxtyping import UInt32

from quire.checks import integer
from quire.secure_sums.errors import DEALER, PlatformError
from quire.secure_sums.linear.zero_sum import enough_users
from quire.secure_sums.wire.credentials import issue_credentials
from quire.secure_sums.wire.faults import InjectedFault, Intruders, intrude
from quire.secure_sums.wire.node import Masks, Session
from quire.secure_sums.wire.process import (
    READY,
    UserOrders,
    UserReport,
    dealer_process,
    user_process,
)
from quire.signatures import checked

PATIENCE = 60.0  # seconds that the caller adds to the users' own timeouts
LEAD = 0.002  # seconds from the word that all are ready to the common start of a round
LARGEST_PADS = 8 * 2**30  # bytes of all pads of a session


@dataclass(frozen=True)
class MeshResult:
    """What a session of real processes ended with.

    Attributes
    ----------
    session
        What all had agreed on.
    reports
        One per user that could report; a killed process could not.
    """

    session: Session
    reports: tuple[UserReport, ...]

    @property
    def totals(self) -> UInt32[np.ndarray, "kept L"]:
        """The last sums of user 0, as many as were asked for and finished."""
        sums = next((r.sums for r in self.reports if r.user == 0), ())
        return np.array(sums, dtype=np.uint32).reshape(len(sums), self.session.length)

    @property
    def agreed(self) -> bool:
        """Whether every user finished every round with the same sums."""
        return (
            len(self.reports) == self.session.users
            and len({r.digests for r in self.reports}) == 1
            and all(len(r.digests) == self.session.rounds for r in self.reports)
        )

    @property
    def payload_bytes(self) -> tuple[int, ...]:
        """Payload bytes each user sent over the whole session."""
        return tuple(r.traffic.payload for r in self.reports)

    @property
    def heard_bytes(self) -> tuple[int, ...]:
        """Payload bytes each user received, as it counted them itself."""
        return tuple(r.traffic.heard for r in self.reports)

    @property
    def bound_bytes(self) -> int:
        """The converse's R_X >= 1: 4L bytes to each of K-1 peers, each round."""
        return self.session.payload * (self.session.users - 1) * self.session.rounds

    @property
    def seconds(self) -> tuple[float, ...]:
        """Duration of each round: that of its slowest user."""
        return tuple(max(times) for times in zip(*(r.seconds for r in self.reports), strict=True))

    def first_fault(self) -> Exception | None:
        """Return the earliest error that any user reported: the others only followed from it."""
        failed = [r for r in self.reports if r.error is not None]
        return min(failed, key=lambda r: r.at).error if failed else None


def processes_supported() -> bool:
    """Return whether this platform has what `run_mesh` needs: Linux and macOS do."""
    return (
        "forkserver" in mp.get_all_start_methods()
        and hasattr(socket.socket, "sendmsg")
        and hasattr(signal, "SIGKILL")
    )


@checked
def run_mesh(
    inputs: UInt32[np.ndarray, "K L"],
    rounds: int = 1,
    masks: Masks | Sequence[Masks] = "dealt",
    seed: int | None = None,
    ledgers: Path | None = None,
    key: str | None = None,
    fault: InjectedFault | None = None,
    intruders: Intruders | None = None,
    timeout: float = 10.0,
    keep: int = 1,
) -> MeshResult:
    """Add K vectors of 32-bit words in K processes over TCP; the same inputs again in every round.

    Parameters
    ----------
    inputs
        Row k is handed to user k's process.
    rounds
        Sums to make, each with its own words of the pads.
    masks
        "dealt", or for comparison "pairwise" (seeds) or "none" (the plain all-to-all sum); or one
        of them for each round.
    seed
        Of the dealer, for experiments, whose guarantee is then computational at best; the
        operating system's entropy by default.
    ledgers
        Folder of the users' key ledgers; in memory by default.
    key
        The dealer's name of the pads; drawn by default. Naming one twice is what a ledger refuses.
    fault
        A fault that a user commits.
    intruders
        Callers that do not belong.
    timeout
        Seconds within which every frame of a round must be whole.
    keep
        How many of the last sums to bring back; digests of all are kept.

    Raises
    ------
    ValueError
        When K < 3, L < 1, rounds < 1, or a number is out of its range.
    PlatformError
        On a system without forkserver, sendmsg or SIGKILL.
    """
    session = _session(inputs, rounds, masks, key, timeout)
    keep = integer("keep", keep, 0)
    if fault is not None:
        integer("fault.user", fault.user, 0, session.users - 1)
    if not processes_supported():
        raise PlatformError("sums between processes need Linux or macOS (forkserver, sendmsg)")
    context = mp.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    credentials = issue_credentials(session.users)
    words = np.ascontiguousarray(inputs, dtype=np.uint32)
    pipes: list[Connection] = []
    processes: list[BaseProcess] = []
    called: list[socket.socket] = []
    patience = 0.0  # when interrupted, nobody is waited for
    try:
        for user in range(session.users):
            here, there = context.Pipe()
            ledger = None if ledgers is None else Path(ledgers) / f"user-{user}.keys"
            orders = UserOrders(session, credentials[user], ledger, fault, keep)
            process = context.Process(target=user_process, args=(there, orders), daemon=True)
            process.start()
            there.close()
            processes.append(process)
            pipes.append(here)
        ports = tuple(pipe.recv() for pipe in pipes)
        for pipe, row in zip(pipes, words, strict=True):
            pipe.send_bytes(row)
            pipe.send(tuple(p[0] for p in ports))
        if intruders is not None:
            called = intrude(intruders, ports, credentials, timeout)
        if session.dealt():
            known = (session, credentials[DEALER], tuple(p[1] for p in ports), seed)
            dealer = context.Process(target=dealer_process, args=known, daemon=True)
            dealer.start()
            processes.append(dealer)
        reports = _collect(pipes, session)
        patience = PATIENCE
    finally:
        for pipe in pipes:
            pipe.close()
        for sock in called:
            sock.close()
        for started in processes:
            started.join(timeout=patience)
            if started.is_alive():
                started.kill()
                started.join()
    return MeshResult(session, reports)


def _session(
    inputs: UInt32[np.ndarray, "K L"],
    rounds: int,
    masks: Masks | Sequence[Masks],
    key: str | None,
    timeout: float,
) -> Session:
    """Return a session of what is asked for.

    Raises
    ------
    ValueError
        When a number is out of its range.
    """
    if np.ndim(inputs) != 2 or np.asarray(inputs).dtype != np.uint32:
        raise ValueError("inputs must be one row of 32-bit unsigned words per user")
    users, length = np.shape(inputs)
    enough_users(users)
    length = integer("length", length, 1)
    rounds = integer("rounds", rounds, 1, 2**32 - 1)
    kinds = masks if isinstance(masks, str) else tuple(masks)
    for kind in (kinds,) if isinstance(kinds, str) else kinds:
        if kind not in ("dealt", "pairwise", "none"):
            raise ValueError(f"masks = {kind!r}: dealt, pairwise or none")
    if not isinstance(kinds, str) and len(kinds) != rounds:
        raise ValueError(f"masks are given for {len(kinds)} rounds: {rounds} are needed")
    if not 0 < timeout < float("inf"):
        raise ValueError(f"timeout = {timeout}: a positive finite number of seconds is needed")
    name = secrets.token_hex(16) if key is None else key
    session = Session(users, length, rounds, name, timeout=timeout, masks=kinds)
    if 4 * users * length * session.dealt() > LARGEST_PADS:
        raise ValueError(
            f"rounds = {rounds}: pads of {users} x {length} words for each are more than "
            f"{LARGEST_PADS // 2**30} GiB; deal for fewer rounds at a time"
        )
    return session


def _collect(pipes: list[Connection], session: Session) -> tuple[UserReport, ...]:
    """Start all users at once whenever all are ready, and gather their reports."""
    reports: list[UserReport] = []
    waiting = dict(enumerate(pipes))
    ready: set[int] = set()
    deadline = time.monotonic() + 2 * PATIENCE + (session.rounds + 1) * session.timeout
    while waiting and time.monotonic() < deadline:
        for heard in wait(list(waiting.values()), timeout=1.0):
            user = next(u for u, p in waiting.items() if p is heard)
            try:
                told = waiting[user].recv()
            except (EOFError, ConnectionError):
                del waiting[user]  # the process was killed
                continue
            if isinstance(told, UserReport):
                reports.append(told)
                del waiting[user]
            elif told == READY:
                ready.add(user)
        if ready and ready >= set(waiting):
            start = time.monotonic() + LEAD
            for user in sorted(ready & set(waiting)):
                with suppress(OSError):  # it was killed since it said so
                    waiting[user].send(start)
            ready = set()
    return tuple(sorted(reports, key=lambda r: r.user))
