from pathlib import Path

import numpy as np
import pytest

from quire.secure_sums import FAULTS, KeyReuseError, Misbehaviour, ProtocolError, run_mesh
from quire.secure_sums.faults import faulty_bytes
from quire.secure_sums.frames import HEADER_BYTES, Header, Kind, fault_in, footer_of, message_frame
from quire.secure_sums.node import Session


def inputs(users: int, length: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2**32, (users, length), dtype=np.uint32)


@pytest.mark.parametrize("masks", ["dealt", "pairwise", "none"])
def test_real_processes_agree_on_the_sum_and_send_the_least(masks: str) -> None:
    words = inputs(4, 100_003)  # not a multiple of any buffer
    result = run_mesh(words, rounds=2, masks=masks, seed=1)
    assert result.first_fault() is None
    assert result.agreed
    assert (result.totals == words.sum(axis=0, dtype=np.uint32)).all()
    assert set(result.payload_bytes) == {result.bound_bytes}
    framing = result.reports[0].traffic.framing
    assert framing == 2 * 3 * 2 * HEADER_BYTES
    assert framing / result.bound_bytes < 1e-3


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_refused_by_name_and_no_wrong_sum_is_output(fault: str) -> None:
    words = inputs(3, 5_000)
    result = run_mesh(words, rounds=2, misbehaviour=Misbehaviour(1, fault), timeout=2.0)
    assert not result.agreed
    problem = result.first_fault()
    assert isinstance(problem, ProtocolError)
    assert problem.sender == (None if fault == "stranger" else 1)
    assert ("a stranger" if fault == "stranger" else "user 1") in str(problem)
    honest = [r for r in result.reports if r.user != 1 or fault == "stranger"]
    assert len(honest) >= 2 and all(r.error is not None for r in honest)
    # a duplicate is noticed after the first round; what was output of that round is one sum
    finished = 1 if fault == "duplicated" else 0
    assert all(len(r.digests) == finished for r in honest)
    assert len({r.digests for r in honest}) == 1
    assert (result.totals == words.sum(axis=0, dtype=np.uint32)).all()


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
        words, ledgers=tmp_path, key="k", misbehaviour=Misbehaviour(1, "killed"), timeout=2.0
    )
    assert not killed.agreed
    again = run_mesh(words, ledgers=tmp_path, key="k", timeout=2.0)
    assert isinstance(again.first_fault(), KeyReuseError)


@pytest.mark.parametrize(("users", "length", "rounds"), [(2, 5, 1), (3, 0, 1), (3, 5, 0)])
def test_impossible_sessions_start_no_process(users: int, length: int, rounds: int) -> None:
    with pytest.raises(ValueError, match=r"nothing to protect|at least 1"):
        run_mesh(np.zeros((users, length), dtype=np.uint32), rounds=rounds)


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
    session = Session(3, 10, 1, "k", bytes(16))
    twice = faulty_bytes("duplicated", session, 1, 0, bytes(40))
    assert len(twice) == 2 * (40 + 2 * HEADER_BYTES)
