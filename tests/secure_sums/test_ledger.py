from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.secure_sums import KeyLedger, KeyReuseError


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 10)), max_size=15))
@settings(deadline=None, max_examples=60)
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
    assert ledger.words("key") == len(used)


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


def test_a_damaged_file_and_bad_spans_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("a 0 10\nnonsense\n")
    with pytest.raises(ValueError, match="line 2 of"):
        KeyLedger(path)
    with pytest.raises(ValueError, match="empty or negative"):
        KeyLedger().claim("a", 3, 3)
    with pytest.raises(ValueError, match="one word"):
        KeyLedger().claim("a b", 0, 3)
