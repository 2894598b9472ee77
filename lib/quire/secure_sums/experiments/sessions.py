"""What real processes do: bytes, faults, intruders, ledgers, certificates and times."""

from __future__ import annotations

import copy
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt32

from quire.secure_sums import check_certificate
from quire.secure_sums.certificates import as_data, certify
from quire.secure_sums.errors import KeyReuseError, ProtocolError
from quire.secure_sums.experiments.bounds import ProvedRate
from quire.secure_sums.wire.credentials import CALLER_BYTES, LISTENER_BYTES
from quire.secure_sums.wire.faults import FAULTS, Fault, InjectedFault, Intruders
from quire.secure_sums.wire.frames import HEADER_BYTES
from quire.secure_sums.wire.mesh import MeshResult, run_mesh

AT_ONCE = 3
"""Sessions with a fault that run side by side."""


@dataclass(frozen=True)
class WireRow:
    """What a session of real processes put on the wire.

    Attributes
    ----------
    users, length
        K, and 32-bit words of each vector.
    right
        Whether every user output the same sum, and it is the plain one.
    heard
        Payload over the bound R_X = 1 as the receivers count it, the largest of any user.
    least, most
        Bytes that the operating system counts on a user's connections, less the headers, footers
        and proofs of identity that the protocol has by its definition, over the bound: the smallest
        and the largest of any user; ``None`` where the system does not tell.
    framing
        Headers and footers over the payload, by the protocol's definition.
    """

    users: int
    length: int
    right: bool
    heard: float
    least: float | None
    most: float | None
    framing: float


def words_of(users: int, length: int, seed: int) -> UInt32[np.ndarray, "K L"]:
    """Return random inputs: one vector of 32-bit words per user."""
    return np.random.default_rng(seed).integers(0, 2**32, (users, length), dtype=np.uint32)


def bytes_on_the_wire(users: int, length: int, seed: int, timeout: float = 60.0) -> WireRow:
    """Run one sum between processes, pads from the operating system, and count its bytes."""
    words = words_of(users, length, seed)
    run = run_mesh(words, timeout=timeout)
    plain = words.sum(axis=0, dtype=np.uint32)
    framing = 2 * HEADER_BYTES * (users - 1)
    counted = []
    for report in run.reports:
        called, calling = report.user, users - 1 - report.user
        proofs = called * CALLER_BYTES + calling * LISTENER_BYTES
        kernel = report.traffic.kernel
        counted.append(None if kernel is None else (kernel - framing - proofs) / run.bound_bytes)
    known = [share for share in counted if share is not None]
    told = bool(known) and len(known) == len(counted)
    return WireRow(
        users=users,
        length=length,
        right=run.agreed and bool((run.totals == plain).all()),
        heard=max(run.heard_bytes) / run.bound_bytes,
        least=min(known) if told else None,
        most=max(known) if told else None,
        framing=framing / run.bound_bytes,
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
        Sums that honest users output, and those among them that are wrong.
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
    """Commit each fault once, a few sessions at a time: most of what they do is wait."""
    few = words_of(3, 1000, seed)
    right = hashlib.sha256(few.sum(axis=0, dtype=np.uint32).data).digest()

    def session(fault: Fault) -> MeshResult:
        return run_mesh(few, rounds=2, fault=InjectedFault(1, fault), timeout=timeout)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = list(pool.map(session, FAULTS))
    rows = []
    for fault, run in zip(FAULTS, runs, strict=True):
        honest = [r for r in run.reports if r.user != 1]
        output = [digest for report in honest for digest in report.digests]
        first = run.first_fault()
        rows.append(
            FaultRow(
                fault=fault,
                named=f"user {first.sender}" if isinstance(first, ProtocolError) else "nobody",
                refused=len(honest) == 2 and all(r.error is not None for r in honest),
                sums=len(output),
                wrong=sum(digest != right for digest in output),
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


def _keys(first: tuple[int, int], second: tuple[int, int]) -> Callable[[dict[str, Any]], None]:
    """Return a change of the first two users' keys; the last user makes the sum zero again."""

    def change(data: dict[str, Any]) -> None:
        columns = data["users"] - 1
        keys = np.eye(columns, dtype=np.int64)
        keys[0, :2], keys[1, :2] = first, second
        data["keys"] = np.vstack([keys, -keys.sum(axis=0)]).tolist()

    return change


def _sent(length: int) -> Callable[[dict[str, Any]], None]:
    """Return a change to vectors of this length, with bytes to match."""

    def change(data: dict[str, Any]) -> None:
        users, wire = data["users"], data["wire"]
        wire["length"] = length
        wire["payload_bytes"] = wire["heard_bytes"] = [4 * length * (users - 1)] * users

    return change


def _add(place: int, step: tuple[Any, str]) -> Callable[[dict[str, Any]], None]:
    """Return a change that grants a bound one more equality."""
    return lambda data: data["bounds"][place]["equalities"].append(list(step))


def _byte_more(data: dict[str, Any]) -> None:
    data["wire"]["payload_bytes"][0] += 1


FORGERIES: Mapping[str, tuple[Callable[[dict[str, Any]], None], ...]] = {
    "two users share a pad": (_keys((1, 0), (1, 0)),),
    "keys that hide everything over F3, and show low bits of words": (
        _keys((1, 1), (1, -1)),
        _set("fields", [3]),
    ),
    "a field of four elements": (_set("fields", [2, 4]),),
    "no field at all": (_set("fields", []),),
    "a bound is one too high": (lambda d: d["bounds"][2].update(bound=str(d["users"])),),
    "a multiplier is negative": (_set("bounds", 0, "inequalities", 0, 3, "-1"),),
    "a step of the proof is left out": (lambda d: d["bounds"][1]["inequalities"].pop(),),
    "an equality that nobody granted": (_add(0, (["free"], "1")),),
    "security against a user that is not there": (_add(1, (["secure", 9, []], "0")),),
    "more colluders than there can be": (lambda d: d.update(colluders=d["users"] - 2),),
    "a byte more was sent": (_byte_more,),
    "nothing was sent": (_sent(0),),
    "vectors of negative length": (_sent(-5),),
    "no record of a run": (_set("wire", None),),
}
"""Changes to a certificate of three or more users, each of which makes it false."""


def forgeries(genuine: dict[str, Any]) -> list[Forgery]:
    """Tamper with a genuine certificate in every way of `FORGERIES` and ask the checker."""
    rows = []
    for name, changes in FORGERIES.items():
        data = copy.deepcopy(genuine)
        for change in changes:
            change(data)
        rows.append(Forgery(name, *judged_by_checker(data)))
    return rows
