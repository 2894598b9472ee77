import errno
import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.secure_sums import KeyLedger, KeyReuseError, LedgerError


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 10)), max_size=15))
@settings(max_examples=60)
def test_no_word_is_ever_claimed_twice(spans: list[tuple[int, int]]) -> None:
    ledger, used = KeyLedger(), set()
    for start, size in spans:
        words = set(range(start, start + size))
        if words & used:
            with pytest.raises(KeyReuseError):
                ledger.claim("key", start, start + size)
        else:
            ledger.claim("key", start, start + size)
            used |= words
    assert ledger.used("key") == len(used)


def test_a_claim_survives_the_process(tmp_path: Path) -> None:
    KeyLedger(tmp_path / "keys").claim("a", 0, 10)
    again = KeyLedger(tmp_path / "keys")
    with pytest.raises(KeyReuseError, match="words 9:10 of key a"):
        again.claim("a", 9, 20)
    again.claim("b", 0, 10)
    again.claim("a", 10, 20)


def test_a_record_torn_by_a_crash_is_forgotten_and_the_file_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    KeyLedger(path).claim("a", 0, 10)
    with path.open("a") as file:
        file.write("a 10 2")
    ledger = KeyLedger(path)
    ledger.claim("a", 10, 20)
    assert path.read_text() == "a 0 10\na 10 20\n"


def test_two_ledgers_on_one_file_see_each_others_claims(tmp_path: Path) -> None:
    one, other = KeyLedger(tmp_path / "keys"), KeyLedger(tmp_path / "keys")
    one.claim("a", 0, 10)
    with pytest.raises(KeyReuseError, match="words 5:10 of key a"):
        other.claim("a", 5, 15)
    other.claim("a", 10, 15)
    with pytest.raises(KeyReuseError, match="words 12:13"):
        one.claim("a", 12, 13)
    assert one.used("a") == other.used("a") == 15


def test_many_threads_and_ledgers_share_out_each_word_once(tmp_path: Path) -> None:
    granted: list[int] = []

    def take() -> None:
        ledger = KeyLedger(tmp_path / "keys")
        for word in range(12):
            with suppress(KeyReuseError):
                ledger.claim("a", word, word + 1)
                granted.append(word)

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(granted) == list(range(12))


@pytest.mark.parametrize(
    "lines", ["a -5 10\n", "a 10 5\n", "a 5 5\n", "a ² 10\n", "a 0 1e3\n", "a 0\n", "\n"]
)
def test_records_that_are_no_spans_are_refused(tmp_path: Path, lines: str) -> None:
    (tmp_path / "keys").write_text(lines)
    with pytest.raises(ValueError, match=r"line 1 of .* is no record"):
        KeyLedger(tmp_path / "keys")


def test_a_file_that_claims_a_word_twice_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a 0 10\na 9 20\n")
    with pytest.raises(ValueError, match=r"line 2 of .* damaged"):
        KeyLedger(tmp_path / "keys")


def test_a_full_disk_is_one_line_and_uses_no_pad(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "keys"
    ledger = KeyLedger(path)
    ledger.claim("a", 0, 10)

    def full(file: int, data: bytes) -> int:
        real(file, data[:3])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(LedgerError, match=r"cannot be written \(No space left .* is not used"):
            ledger.claim("a", 10, 20)
    assert path.read_text() == "a 0 10\n"
    ledger.claim("a", 10, 20)
    assert KeyLedger(path).used("a") == 20


def test_a_ledger_is_a_regular_file_in_a_folder_that_exists(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="No such file"):
        KeyLedger(tmp_path / "missing" / "keys").claim("a", 0, 1)
    if Path("/dev/full").exists():
        with pytest.raises(ValueError, match="no regular file"):
            KeyLedger(Path("/dev/full"))


def test_a_damaged_file_and_bad_spans_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("a 0 10\nnonsense\n")
    with pytest.raises(ValueError, match="line 2 of"):
        KeyLedger(path)
    with pytest.raises(ValueError, match="empty or negative"):
        KeyLedger().claim("a", 3, 3)
    with pytest.raises(ValueError, match="one word"):
        KeyLedger().claim("a b", 0, 3)
