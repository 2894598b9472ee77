import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from quire.secure_sums import (
    FAULTS,
    InjectedFault,
    Intruders,
    KeyReuseError,
    LedgerError,
    ProtocolError,
    processes_supported,
    run_mesh,
)
from quire.secure_sums.errors import DEALER
from quire.secure_sums.wire.credentials import (
    Credentials,
    call,
    issue_credentials,
    receive_callers,
)
from quire.secure_sums.wire.faults import faulty_bytes
from quire.secure_sums.wire.frames import (
    HEADER_BYTES,
    Header,
    Kind,
    fault_in,
    footer_of,
    message_frame,
)
from quire.secure_sums.wire.node import Session

pytestmark = pytest.mark.skipif(not processes_supported(), reason="needs forkserver and sendmsg")


def inputs(users: int, length: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2**32, (users, length), dtype=np.uint32)


@pytest.mark.parametrize("masks", ["dealt", "pairwise", "none"])
def test_real_processes_agree_on_the_sum_and_send_the_least(masks: str) -> None:
    words = inputs(4, 100_003)  # not a multiple of any buffer
    result = run_mesh(words, rounds=2, masks=masks, seed=1, keep=2)
    assert result.first_fault() is None
    assert result.agreed
    assert (result.totals == words.sum(axis=0, dtype=np.uint32)).all()
    assert set(result.payload_bytes) == {result.bound_bytes}
    framing = result.reports[0].traffic.framing
    assert framing == 2 * 3 * 2 * HEADER_BYTES
    assert framing / result.bound_bytes < 1e-3


def test_kinds_of_masks_may_take_turns_in_one_session() -> None:
    words = inputs(3, 1_000)
    kinds = ["none", "dealt", "pairwise", "dealt"]
    result = run_mesh(words, rounds=4, masks=kinds, keep=4)
    assert result.agreed and result.session.dealt() == 2
    assert (result.totals == words.sum(axis=0, dtype=np.uint32)).all()
    with pytest.raises(ValueError, match="for 4 rounds: 3 are needed"):
        run_mesh(words, rounds=3, masks=kinds)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_refused_by_name_and_no_wrong_sum_is_output(fault: str) -> None:
    words = inputs(3, 5_000)
    result = run_mesh(words, rounds=2, fault=InjectedFault(1, fault), timeout=2.0, keep=2)
    assert not result.agreed
    problem = result.first_fault()
    assert isinstance(problem, ProtocolError)
    assert problem.sender == 1 and "user 1" in str(problem)
    honest = [r for r in result.reports if r.user != 1]
    assert len(honest) == 2 and all(r.error is not None for r in honest)
    # a duplicate is noticed after the first round; what was output of that round is one sum
    finished = 1 if fault == "duplicated" else 0
    assert all(len(r.digests) == finished for r in honest)
    assert len({r.digests for r in honest}) == 1
    assert (result.totals == words.sum(axis=0, dtype=np.uint32)).all()


def test_a_dripping_peer_is_late_for_its_whole_frame() -> None:
    started = time.monotonic()
    result = run_mesh(inputs(3, 1_000), fault=InjectedFault(2, "dripping"), timeout=1.5)
    problem = result.first_fault()
    assert isinstance(problem, ProtocolError) and "when the 1.5 s of round 0 were over" in str(
        problem
    )
    assert time.monotonic() - started < 20


def test_strays_and_an_insider_in_the_dealers_place_change_nothing() -> None:
    words = inputs(3, 1_000)
    intruders = Intruders(strays=60, impostor=2, victim=0)
    result = run_mesh(words, rounds=2, intruders=intruders)
    assert result.first_fault() is None and result.agreed
    assert (result.totals == words.sum(axis=0, dtype=np.uint32)).all()


def test_the_receivers_and_the_kernel_count_what_the_senders_say() -> None:
    result = run_mesh(inputs(4, 10_001), rounds=3)
    assert set(result.heard_bytes) == {result.bound_bytes}
    for report in result.reports:
        traffic = report.traffic
        told = traffic.payload + traffic.framing + traffic.handshake
        assert traffic.kernel in (None, told)


def test_only_the_last_sums_come_back() -> None:
    words = inputs(3, 100)
    result = run_mesh(words, rounds=40, keep=2)
    assert result.agreed and len(result.reports[0].digests) == 40
    assert result.totals.shape == (2, 100)
    assert all(not r.sums for r in result.reports[1:])


def test_a_key_is_not_used_twice_even_by_another_session(tmp_path: Path) -> None:
    words = inputs(3, 1_000)
    first = run_mesh(words, ledgers=tmp_path, key="monday")
    assert first.agreed
    again = run_mesh(words, ledgers=tmp_path, key="monday", timeout=2.0)
    assert isinstance(again.first_fault(), KeyReuseError)
    assert len(again.totals) == 0


def test_a_key_burnt_by_a_killed_round_stays_burnt(tmp_path: Path) -> None:
    words = inputs(3, 1_000)
    killed = run_mesh(
        words, ledgers=tmp_path, key="k", fault=InjectedFault(1, "killed"), timeout=2.0
    )
    assert not killed.agreed
    again = run_mesh(words, ledgers=tmp_path, key="k", timeout=2.0)
    assert isinstance(again.first_fault(), KeyReuseError)


def test_a_ledger_that_cannot_be_written_is_the_first_fault(tmp_path: Path) -> None:
    result = run_mesh(inputs(3, 100), ledgers=tmp_path / "missing", timeout=2.0)
    assert isinstance(result.first_fault(), LedgerError)
    assert not any(r.digests for r in result.reports)


KILLED_CALLER = """
import os, signal, sys, threading, time
import numpy as np
from quire.secure_sums import InjectedFault, run_mesh

words = np.frombuffer(bytes.fromhex(sys.argv[1]) * 1_000, dtype=np.uint32).reshape(1, -1)
threading.Timer(float(sys.argv[2]), lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
fault = InjectedFault(1, "silent")
run_mesh(np.repeat(words, 3, axis=0), fault=fault, timeout=4.0)
"""


def test_a_killed_caller_leaves_no_input_and_no_process_behind(tmp_path: Path) -> None:
    secret = "5ec2e75a" * 4
    before = {p.pid for p in psutil.process_iter()}
    command = [sys.executable, "-c", KILLED_CALLER, secret, "4"]
    done = subprocess.run(
        command, env=os.environ | {"TMPDIR": str(tmp_path)}, capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(bytes.fromhex(secret) in path.read_bytes() for path in files)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _forkservers() - before:
        time.sleep(0.2)
    assert not _forkservers() - before


def _forkservers() -> set[int]:
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if "multiprocessing.forkserver" in " ".join(process.cmdline()):
                found.add(process.pid)
    return found


@pytest.mark.parametrize(("users", "length", "rounds"), [(2, 5, 1), (3, 0, 1), (3, 5, 0)])
def test_impossible_sessions_start_no_process(users: int, length: int, rounds: int) -> None:
    with pytest.raises(ValueError, match=r"nothing to protect|must be an integer"):
        run_mesh(np.zeros((users, length), dtype=np.uint32), rounds=rounds)


def test_pads_that_no_memory_holds_and_bad_times_are_refused() -> None:
    words = np.zeros((3, 100_000), dtype=np.uint32)
    with pytest.raises(ValueError, match="deal for fewer rounds"):
        run_mesh(words, rounds=30_000)
    with pytest.raises(ValueError, match="positive finite"):
        run_mesh(words, timeout=float("nan"))
    with pytest.raises((ValueError, TypeError), match="killed"):
        InjectedFault(1, "sneezing")


def test_headers_name_what_is_wrong() -> None:
    due = Header(3, 1, Kind.MESSAGE, 40)
    assert fault_in(due, due) is None
    assert Header.unpack(due.pack()) == due and len(due.pack()) == HEADER_BYTES
    wrong = {
        "claims to be from user 2": Header(3, 2, Kind.MESSAGE, 40),
        "of kind 2": Header(3, 1, Kind.KEY, 40),
        "a duplicate": Header(2, 1, Kind.MESSAGE, 40),
        "out of order": Header(4, 1, Kind.MESSAGE, 40),
        "44 bytes; 40 are due": Header(3, 1, Kind.MESSAGE, 44),
    }
    for words, header in wrong.items():
        assert words in str(fault_in(header, due))
    frame = message_frame(3, 1, bytes(40))
    assert Header.unpack(frame[-HEADER_BYTES:]) == footer_of(due)


def test_a_duplicate_is_the_same_frame_twice() -> None:
    session = Session(3, 10, 1, "k")
    twice = faulty_bytes("duplicated", session, 1, 0, bytes(40))
    assert len(twice) == 2 * (40 + 2 * HEADER_BYTES)


def test_each_pair_of_roles_has_a_secret_of_its_own() -> None:
    known = issue_credentials(4)
    secrets = [s for c in known.values() for s in c.shared.values()]
    assert len(secrets) == 20 and len(set(secrets)) == 10
    assert known[1].shared[DEALER] == known[DEALER].shared[1]


@pytest.mark.parametrize("pretended", [DEALER, 1])
def test_an_insider_cannot_call_in_another_role(pretended: int) -> None:
    """User 2 calls user 0 with the secret that it shares with it, as the dealer or as user 1."""
    known = issue_credentials(3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        impostor = Credentials(pretended, {0: known[2].shared[0]})
        refusals: list[ProtocolError] = []

        def pretend() -> None:
            try:
                call(port, impostor, 0, time.monotonic() + 1.0)
            except ProtocolError as refusal:
                refusals.append(refusal)

        thread = threading.Thread(target=pretend)
        thread.start()
        with pytest.raises(ProtocolError, match="did not connect in time"):
            list(receive_callers(listener, known[0], {pretended}, time.monotonic() + 1.0))
        thread.join()
    assert len(refusals) == 1 and "cannot be reached" in str(refusals[0])


def test_a_caller_notices_who_answers_in_another_role() -> None:
    known = issue_credentials(3)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.sendall(bytes(32))
                sock.recv(80)
                sock.sendall(bytes(32))

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ProtocolError, match="cannot prove to be it"):
            call(listener.getsockname()[1], known[1], 0, time.monotonic() + 2.0)
        thread.join()
