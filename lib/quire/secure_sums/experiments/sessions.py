"""What real processes do: bytes, faults, intruders, ledgers, certificates and times."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt32

from quire.secure_sums import check_certificate
from quire.secure_sums.certificates import as_data, certify
from quire.secure_sums.errors import KeyReuseError, ProtocolError
from quire.secure_sums.experiments.bounds import ProvedRate
from quire.secure_sums.peers.mpyc import mpyc_sum
from quire.secure_sums.wire.faults import FAULTS, InjectedFault, Intruders
from quire.secure_sums.wire.mesh import MeshResult, run_mesh
from quire.secure_sums.wire.node import Masks


@dataclass(frozen=True)
class WireRow:
    """What a session of real processes put on the wire.

    Attributes
    ----------
    users, length
        K, and 32-bit words of each vector.
    right
        Whether every user output the same sum, and it is the plain one.
    sent, heard
        Payload over the bound R_X = 1, the largest of any user: as the senders count it, and as
        the receivers do.
    framing
        Headers and footers over the payload.
    beyond
        Bytes that the operating system counts beyond payload, framing and handshakes, in all;
        ``None`` where it does not tell.
    """

    users: int
    length: int
    right: bool
    sent: float
    heard: float
    framing: float
    beyond: int | None


def words_of(users: int, length: int, seed: int) -> UInt32[np.ndarray, "K L"]:
    """Return random inputs: one vector of 32-bit words per user."""
    return np.random.default_rng(seed).integers(0, 2**32, (users, length), dtype=np.uint32)


def bytes_on_the_wire(users: int, length: int, seed: int, timeout: float = 60.0) -> WireRow:
    """Run one sum between processes, pads from the operating system, and count its bytes."""
    words = words_of(users, length, seed)
    run = run_mesh(words, timeout=timeout)
    plain = words.sum(axis=0, dtype=np.uint32)
    beyond: int | None = 0
    for report in run.reports:
        t = report.traffic
        if beyond is not None:
            told = t.payload + t.framing + t.handshake
            beyond = None if t.kernel is None else beyond + abs(t.kernel - told)
    return WireRow(
        users=users,
        length=length,
        right=run.agreed and bool((run.totals == plain).all()),
        sent=max(run.payload_bytes) / run.bound_bytes,
        heard=max(run.heard_bytes) / run.bound_bytes,
        framing=max(r.traffic.framing for r in run.reports) / run.bound_bytes,
        beyond=beyond,
    )


def pad_named_twice(seed: int) -> tuple[MeshResult, MeshResult]:
    """Run two sessions of three users with pads of one name: the ledgers must refuse the second."""
    few = words_of(3, 1000, seed)
    with tempfile.TemporaryDirectory() as folder:
        first = run_mesh(few, ledgers=Path(folder), key="monday")
        second = run_mesh(few, ledgers=Path(folder), key="monday", timeout=5.0)
    return first, second


def refused_by_ledger(second: MeshResult) -> bool:
    """Return whether a session output no sum because its pads had been used."""
    return isinstance(second.first_fault(), KeyReuseError) and not len(second.totals)


@dataclass(frozen=True)
class FaultRow:
    """What came of a fault that user 1 of three committed in the first of two rounds.

    Attributes
    ----------
    fault
        What it did.
    named
        Whom the first complaint names.
    refused
        Whether every honest user stopped with an error.
    sums, wrong
        Sums that honest users output, and those among user 0's that are wrong.
    """

    fault: str
    named: str
    refused: bool
    sums: int
    wrong: int

    @property
    def as_promised(self) -> bool:
        """Refused by name, with no wrong sum."""
        return self.named == "user 1" and self.refused and self.wrong == 0


def faults_injected(seed: int, timeout: float = 2.0) -> list[FaultRow]:
    """Commit each fault once."""
    few = words_of(3, 1000, seed)
    correct = few.sum(axis=0, dtype=np.uint32)
    rows = []
    for fault in FAULTS:
        run = run_mesh(few, rounds=2, fault=InjectedFault(1, fault), timeout=timeout, keep=2)
        honest = [r for r in run.reports if r.user != 1]
        first = run.first_fault()
        rows.append(
            FaultRow(
                fault=fault,
                named=f"user {first.sender}" if isinstance(first, ProtocolError) else "nobody",
                refused=len(honest) == 2 and all(r.error is not None for r in honest),
                sums=sum(len(r.digests) for r in honest),
                wrong=int((run.totals != correct).any(axis=1).sum()),
            )
        )
    return rows


@dataclass(frozen=True)
class IntruderRow:
    """A session with callers that do not belong."""

    who: str
    finished: bool
    right: bool


def intruders_at_the_door(seed: int, strays: int = 60) -> list[IntruderRow]:
    """Run sessions that strays call, and one that an insider calls in the dealer's place."""
    few = words_of(3, 1000, seed)
    plain = few.sum(axis=0, dtype=np.uint32)
    rows = []
    for who, intruders in (
        (f"{strays} strays on every port", Intruders(strays=strays)),
        ("user 2, in the dealer's place", Intruders(impostor=2, victim=0)),
    ):
        run = run_mesh(few, intruders=intruders)
        rows.append(IntruderRow(who, run.agreed, bool((run.totals == plain).all())))
    return rows


def certificate_of_a_run(
    users: int, colluders: int, seed: int, proved: Iterable[ProvedRate] = ()
) -> dict[str, Any]:
    """Run a session, certify it, and return the certificate as the plain data of its file.

    Rates of K users that were proved already are not proved again.
    """
    run = run_mesh(words_of(users, 10_000, seed))
    proofs = [row.proof for row in proved if row.users == users]
    certificate = certify(users, colluders, run=run, proofs=proofs)
    data: dict[str, Any] = json.loads(json.dumps(as_data(certificate)))
    return data


def judged_by_checker(data: object) -> tuple[bool, str]:
    """Give plain data to the independent checker, in a process with the standard library alone.

    Returns whether it was accepted, and the checker's line.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "certificate.json"
        path.write_text(json.dumps(data))
        checker = str(check_certificate.__file__)
        command = [sys.executable, "-I", "-S", checker, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode == 0, (done.stdout or done.stderr).strip()


@dataclass(frozen=True)
class Forgery:
    """A certificate that was tampered with, and what the checker said."""

    change: str
    accepted: bool
    answer: str


def _set(*path: Any) -> Callable[[dict[str, Any]], None]:
    """Return a change that puts the last item at the place that the others lead to."""
    *way, last, value = path

    def change(data: Any) -> None:
        for step in way:
            data = data[step]
        data[last] = value

    return change


FORGERIES: Mapping[str, tuple[Callable[[dict[str, Any]], None], ...]] = {
    "two users share a pad": (_set("keys", [[1, 0, 0], [1, 0, 0], [0, 0, 1], [-2, 0, -1]]),),
    "keys that hide everything over F3, and show low bits of words": (
        _set("keys", [[1, 1, 0], [1, -1, 0], [0, 0, 1], [-2, 0, -1]]),
        _set("fields", [3]),
    ),
    "a field of four elements": (_set("fields", [2, 4]),),
    "no field at all": (_set("fields", []),),
    "a bound is one too high": (_set("bounds", 2, "bound", "4"),),
    "a multiplier is negative": (_set("bounds", 0, "inequalities", 0, 3, "-1"),),
    "a step of the proof is left out": (lambda d: d["bounds"][1]["inequalities"].pop(),),
    "an equality that nobody granted": (
        lambda d: d["bounds"][0]["equalities"].append([["free"], "1"]),
    ),
    "security against a user that is not there": (
        lambda d: d["bounds"][1]["equalities"].append([["secure", 9, []], "0"]),
    ),
    "more colluders than there can be": (_set("colluders", 2),),
    "a byte more was sent": (lambda d: d["wire"]["payload_bytes"].__setitem__(0, 120_001),),
    "nothing was sent": (
        _set("wire", "length", 0),
        _set("wire", "payload_bytes", [0] * 4),
        _set("wire", "heard_bytes", [0] * 4),
    ),
    "vectors of negative length": (
        _set("wire", "length", -5),
        _set("wire", "payload_bytes", [-60] * 4),
        _set("wire", "heard_bytes", [-60] * 4),
    ),
    "no run behind it": (_set("wire", None),),
}
"""Changes to a certificate of four users, each of which makes it false."""


def forgeries(genuine: dict[str, Any]) -> list[Forgery]:
    """Tamper with a genuine certificate in every way of `FORGERIES` and ask the checker."""
    rows = []
    for name, changes in FORGERIES.items():
        data = copy.deepcopy(genuine)
        for change in changes:
            change(data)
        rows.append(Forgery(name, *judged_by_checker(data)))
    return rows


@dataclass(frozen=True)
class Pace:
    """Ratios of times, one per repetition of the race.

    Attributes
    ----------
    seconds
        Median seconds of a round in each repetition, by kind of masks.
    """

    seconds: Mapping[str, tuple[float, ...]]

    def ratio(self, mine: str, other: str) -> tuple[float, tuple[float, float]]:
        """Return the median ratio of two kinds, and the smallest and largest."""
        pairs = zip(self.seconds[mine], self.seconds[other], strict=True)
        found = sorted(a / b for a, b in pairs)
        return float(np.median(found)), (found[0], found[-1])

    def milliseconds(self) -> list[dict[str, object]]:
        """Return one row per kind: median, smallest and largest."""
        return [
            {
                "masks": kind,
                "median": 1e3 * float(np.median(times)),
                "least": 1e3 * min(times),
                "most": 1e3 * max(times),
            }
            for kind, times in self.seconds.items()
        ]


def paces(users: int, length: int, seed: int, repetitions: int = 5) -> Pace:
    """Time sums with dealt pads, with none, and with pairwise seeds, in turn, several times.

    Each session makes four rounds; the first, in which memory is touched, is left out.
    """
    words = words_of(users, length, seed)
    kinds: tuple[Masks, ...] = ("dealt", "none", "pairwise")
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(repetitions):
        for kind in kinds:
            run = run_mesh(words, rounds=4, masks=kind, seed=seed, timeout=60.0)
            seconds[kind].append(float(np.median(run.seconds[1:])))
    return Pace({kind: tuple(times) for kind, times in seconds.items()})


@dataclass(frozen=True)
class MpycRace:
    """Seconds of the same sum by MPyC and by ours, one pair per repetition.

    Attributes
    ----------
    right
        Whether MPyC's sums were the plain one, and ours agreed.
    bytes_per_word
        That MPyC's first party sent for each word and peer; ours sends 4.
    theirs, ours
        Seconds.
    """

    right: bool
    bytes_per_word: float
    theirs: tuple[float, ...]
    ours: tuple[float, ...]

    @property
    def times_faster(self) -> tuple[float, tuple[float, float]]:
        """Median ratio, and the smallest and largest."""
        found = sorted(t / o for t, o in zip(self.theirs, self.ours, strict=True))
        return float(np.median(found)), (found[0], found[-1])


def mpyc_race(users: int, length: int, seed: int, repetitions: int = 5) -> MpycRace:
    """Time the same sum by MPyC's processes and by ours, one sum after the other in each.

    Our first round, in which memory is touched, is left out.

    Raises
    ------
    RuntimeError
        When MPyC is not installed or a party fails.
    """
    peer = mpyc_sum(users, length, seed, repetitions)
    words = words_of(users, length, seed)
    run = run_mesh(words, rounds=repetitions + 1, seed=seed, timeout=60.0)
    return MpycRace(
        right=peer.right and run.agreed,
        bytes_per_word=peer.sent_bytes / length / (users - 1),
        theirs=peer.seconds,
        ours=run.seconds[1:],
    )
