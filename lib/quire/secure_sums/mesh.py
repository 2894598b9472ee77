"""The whole protocol between real processes: a dealer, K users, TCP on the loopback interface.

The dealer is a process of its own that hands every user its pad over a separate socket and is gone
before the first round. The caller only starts processes and collects what each user reports; no
input, pad or message passes through it on the way to a sum.
"""

from __future__ import annotations

import hashlib
import multiprocessing as mp
import os
import secrets
import socket
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path

import numpy as np
from jaxtyping import UInt32

from quire.secure_sums.errors import KeyReuseError, ProtocolError
from quire.secure_sums.faults import Fault, knock, misbehave
from quire.secure_sums.ledger import KeyLedger
from quire.secure_sums.node import (
    Masks,
    Mesh,
    Session,
    Traffic,
    connect_mesh,
    deal_over_sockets,
    receive_pad,
)
from quire.secure_sums.zero_sum import draw_pads, seeded_entropy

PATIENCE = 60.0  # seconds that the caller adds to the users' own timeouts


@dataclass(frozen=True)
class UserReport:
    """What one user ended with.

    Parameters
    ----------
    user
        Its number.
    digests
        SHA-256 of each sum that it output, in order of rounds.
    traffic
        Bytes it sent.
    seconds
        Duration of each round, from the common start to its last byte.
    error
        Why it stopped, or ``None``; ``at`` is when, on the machine's monotonic clock.
    """

    user: int
    digests: tuple[str, ...]
    traffic: Traffic
    seconds: tuple[float, ...]
    error: Exception | None = None
    at: float = 0.0


@dataclass(frozen=True)
class MeshResult:
    """What a session of real processes ended with.

    Parameters
    ----------
    reports
        One per user that could report; a killed process could not.
    totals
        The sums of user 0, one row per round that it finished.
    """

    session: Session
    reports: tuple[UserReport, ...]
    totals: UInt32[np.ndarray, "rounds L"]

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


@dataclass(frozen=True)
class Misbehaviour:
    """Which user commits which fault, in which round. A stranger calls the user instead."""

    user: int
    fault: Fault
    round: int = 0


def run_mesh(
    inputs: UInt32[np.ndarray, "K L"],
    rounds: int = 1,
    masks: Masks = "dealt",
    seed: int | None = None,
    ledgers: Path | None = None,
    key: str | None = None,
    misbehaviour: Misbehaviour | None = None,
    timeout: float = 10.0,
) -> MeshResult:
    """Add K vectors of words in K processes over TCP; the same inputs again in every round.

    Parameters
    ----------
    inputs
        Row k is handed to user k's process.
    rounds
        Sums to make, each with its own words of the pads.
    masks
        "dealt", or for comparison "pairwise" (seeds) or "none" (the plain all-to-all sum).
    seed
        Of the dealer, for experiments; the operating system's entropy by default.
    ledgers
        Folder of the users' key ledgers; in memory by default.
    key
        The dealer's name of the pads; drawn by default. Naming one twice is what a ledger refuses.
    misbehaviour
        A fault to commit.
    timeout
        Seconds of silence after which a peer is blamed.

    Raises
    ------
    ValueError
        When K < 3, L < 1 or rounds < 1.
    """
    users, length = inputs.shape
    if users < 3:
        raise ValueError(f"K = {users}: nothing to protect (K>=3)")
    if length < 1 or rounds < 1:
        raise ValueError(f"length = {length} and rounds = {rounds} must be at least 1")
    name = secrets.token_hex(16) if key is None else key
    session = Session(
        users, length, rounds, name, secrets.token_bytes(16), timeout=timeout, masks=masks
    )
    context = mp.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with tempfile.TemporaryDirectory(prefix="quire-mesh-") as folder:
        np.save(Path(folder) / "inputs.npy", np.ascontiguousarray(inputs, dtype=np.uint32))
        pipes: list[Connection] = []
        processes = []
        for user in range(users):
            here, there = context.Pipe()
            ledger = None if ledgers is None else ledgers / f"user-{user}.keys"
            arguments = (there, session, user, Path(folder), ledger, misbehaviour)
            process = context.Process(target=_user, args=arguments, daemon=True)
            process.start()
            there.close()
            processes.append(process)
            pipes.append(here)
        ports = [pipe.recv() for pipe in pipes]
        called = None
        if misbehaviour is not None and misbehaviour.fault == "stranger":
            called = knock(ports[misbehaviour.user][0], session)
        dealer = context.Process(
            target=_dealer, args=(session, tuple(p[1] for p in ports), seed), daemon=True
        )
        if masks == "dealt":
            dealer.start()
        reports = _collect(pipes, tuple(p[0] for p in ports), session)
        for process in [*processes, *([dealer] if masks == "dealt" else [])]:
            process.join(timeout=PATIENCE)
            if process.is_alive():
                process.kill()
                process.join()
        if called is not None:
            called.close()
        finished = next((len(r.digests) for r in reports if r.user == 0), 0)
        totals = np.load(Path(folder) / "totals.npy")[:finished] if finished else None
    empty = np.zeros((0, length), dtype=np.uint32)
    return MeshResult(session, reports, empty if totals is None else totals)


def _collect(
    pipes: list[Connection], ports: tuple[int, ...], session: Session
) -> tuple[UserReport, ...]:
    """Give every user the ports, start all at once when ready, and gather their reports."""
    for pipe in pipes:
        pipe.send(ports)
    reports: list[UserReport] = []
    waiting = dict(enumerate(pipes))
    ready: set[int] = set()
    deadline = time.monotonic() + PATIENCE + session.rounds * session.timeout
    while waiting and time.monotonic() < deadline:
        for heard in wait(list(waiting.values()), timeout=1.0):
            user = next(u for u, p in waiting.items() if p is heard)
            try:
                word = waiting[user].recv()
            except (EOFError, ConnectionError):
                del waiting[user]  # the process was killed
                continue
            if isinstance(word, UserReport):
                reports.append(word)
                del waiting[user]
            else:
                ready.add(user)
        if ready and ready >= set(waiting):
            for user in sorted(ready & set(waiting)):
                with suppress(OSError):  # it was killed since it said so
                    waiting[user].send("go")
            ready = set()
    return tuple(sorted(reports, key=lambda r: r.user))


def _dealer(session: Session, ports: tuple[int, ...], seed: int | None) -> None:
    """Draw the pads of all rounds, hand them out, and be gone."""
    entropy = os.urandom if seed is None else seeded_entropy(seed)
    pads = draw_pads(session.users, session.rounds * session.length, entropy)
    try:
        deal_over_sockets(session, ports, pads)
    except OSError:
        return  # the user that left says why


def _user(
    pipe: Connection,
    session: Session,
    user: int,
    folder: Path,
    ledger: Path | None,
    misbehaviour: Misbehaviour | None,
) -> None:
    """One user's process from the first port to the last sum."""
    digests: list[str] = []
    seconds: list[float] = []
    traffic = Traffic()
    error: Exception | None = None
    dealt_pad = session.masks == "dealt"
    with (
        socket.create_server(("127.0.0.1", 0), backlog=session.users + 1) as listener,
        socket.create_server(("127.0.0.1", 0)) as dealt,
    ):
        pipe.send((listener.getsockname()[1], dealt.getsockname()[1]))
        ports = pipe.recv()
        try:
            words = np.load(folder / "inputs.npy", mmap_mode="r")[user].copy()
            pad = np.empty(session.rounds * session.length if dealt_pad else 0, np.uint32)
            if dealt_pad:
                receive_pad(session, dealt, pad)
            links = connect_mesh(session, user, listener, ports)
            mesh = Mesh(session, user, links, pad, KeyLedger(ledger))
            traffic = mesh.traffic
            totals = np.empty((session.rounds, session.length), np.uint32) if user == 0 else None
            for number in range(session.rounds):
                pipe.send("ready")
                pipe.recv()
                start = time.perf_counter()
                if (
                    misbehaviour is not None
                    and misbehaviour.fault != "stranger"
                    and ((misbehaviour.user, misbehaviour.round) == (user, number))
                ):
                    if number + 1 < session.rounds:
                        pipe.send("ready")  # nobody else has to wait for it
                    misbehave(misbehaviour.fault, mesh, number, words)
                    break
                total = mesh.sum_round(number, words)
                seconds.append(time.perf_counter() - start)
                digests.append(hashlib.sha256(total.data).hexdigest())
                if totals is not None:
                    totals[number] = total
                    np.save(folder / "totals.npy", totals)
        except (ProtocolError, KeyReuseError) as problem:
            error = problem
        at = time.monotonic()
    pipe.send(UserReport(user, tuple(digests), traffic, tuple(seconds), error, at))
