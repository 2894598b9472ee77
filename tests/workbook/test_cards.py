from pathlib import Path

import pytest

from quire.workbook.cards import read_card
from quire.workbook.errors import UserError

from .conftest import CARD


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "99_tiny.yml"
    path.write_text(text)
    return path


def test_a_good_card_is_read_whole(tmp_path: Path) -> None:
    card = read_card(write(tmp_path, CARD))
    assert [claim.id for claim in card.claims] == ["99.1", "99.2", "99.3"]
    assert card.profiles["full"] == {"size": 100}
    assert card.claim("99.2").expect == {"at_least": 0}


@pytest.mark.parametrize(
    ("old", "new", "at", "words"),
    [
        ("topic: tiny", "topci: tiny", "topic: tiny", "topci"),
        ("part: Machines", "part: Machinery", "part:", "Learning together"),
        ('id: "99.2"', 'id: "ninety"', 'id: "99.2"', "pattern"),
        ("expect: {at_least: 0}", "expect: {at_laest: 0}", 'id: "99.2"', "at_laest"),
        ("expect: {at_least: 0}", "expect: {at_least: .inf}", 'id: "99.2"', "not finite"),
        ("expect: {at_least: 0}", "expect: {at_least: 1, at_most: 0}", 'id: "99.2"', "no number"),
        ("expect: 1", "expect: many", 'id: "99.3"', "expects a number"),
        ("expect: 1", "expect: [1]", 'id: "99.3"', "expects a number"),
        ("expect: 1", "expect: .nan", 'id: "99.3"', "not finite"),
        ("expect: 1", f"expect: 1{'0' * 400}", "expect: 1", "401 digits"),
        ("expect: 1", "expect: 1e400", 'id: "99.3"', "not finite"),
        ("expect: 1", "expect: 0123", "expect: 1", "0123 is read differently"),
        ("expect: 1", "expect: 1:20", "expect: 1", "1:20 is read differently"),
        ("expect: 1", "expect: 1_000", "expect: 1", "1_000 is read differently"),
        ("expect: true", "expect: yes", "expect: true", "write true or false"),
        ("expect: true", "expect: 2024-13-45", "expect: true", "quote the date"),
        ("expect: true", "expect: {2024-01-31: 1}", "expect: true", "quote the date"),
        ("expect: true", "expect: true\n    expect: 3", "expect: true", "used twice"),
        ("expect: true", "expect: {a: 1, a: 2}", "expect: true", "'a' is used twice"),
        ("expect: true", "expect: &x [*x]", "expect: true", "contains itself"),
        ("expect: true", "expect: " + "[" * 5000, "expect: true", "nested deeper"),
        ("expect: true", "expect: " + "[" * 60 + "]" * 60, "expect: true", "nested deeper"),
        (
            "parameters:",
            "parameters: {}\nparameters:",
            "  size: {at_l",
            "'parameters' is used twice",
        ),
        ("claims:", "claims: []\nclaims:", '  - id: "99.1"', "'claims' is used twice"),
        ("source: seen", "source: heard", "source: seen", "seen"),
        ("source: seen", "unit: words", 'id: "99.1"', "needs a source"),
        ("    role: check\n", "", 'id: "99.3"', "role: Field required"),
        ("    where: section 1\n", "", 'id: "99.1"', "needs 'where'"),
        ("    fails_if: the square of size is below zero\n", "", 'id: "99.2"', "fails_if: Field"),
        ("the square of size is below zero", "never", "fails_if: the square", "at least 10"),
        ("role: check", "role: verdict", "role: check", "finding"),
        ("role: check", "role: check\n    source: seen", 'id: "99.3"', "has no source"),
        (
            "expect: 1\n",
            "expect: 1\n    differs: {tolerance: {rel: 1}, because: it is another machine}\n",
            'id: "99.3"',
            "never differs",
        ),
        ("program:no-such", "progam:no-such", 'id: "99.3"', "use one of dataset:NAME"),
        ("summary: A", "summary: \x07A", "summary:", "does not allow"),
        ("smoke: {size: 1}", "smok: {size: 1}", "smoke: {size: 1}", "smok"),
        ('id: "99.2"', 'id: "99.1"', "paper:", "99.1 is used twice"),
        ("default: {}", "default: {size: 4}", "paper:", "must be {}"),
    ],
)
def test_a_typo_is_told_with_its_line(
    tmp_path: Path, old: str, new: str, at: str, words: str
) -> None:
    """Each fault is one line that names the file and, within one, the line it stands on."""
    assert old in CARD
    with pytest.raises(UserError) as fault:
        read_card(write(tmp_path, CARD.replace(old, new, 1)))
    message = str(fault.value)
    assert "\n" not in message
    assert words in message
    assert "99_tiny.yml, line " in message
    told = int(message.split("line ")[1].split(":")[0])
    expected = CARD[: CARD.index(at)].count("\n") + 1
    assert abs(told - expected) <= 1


def test_numbers_are_those_of_yaml_1_2(tmp_path: Path) -> None:
    for text, value in (("1e6", 1e6), ("1.5e-3", 1.5e-3), ("-3", -3), ("0x10", 16), ("1.", 1.0)):
        card = read_card(write(tmp_path, CARD.replace("expect: 1\n", f"expect: {text}\n")))
        assert card.claim("99.3").expect == value
    card = read_card(write(tmp_path, CARD.replace("expect: true", "expect: 'yes'")))
    assert card.claim("99.1").expect == "yes"


def test_text_in_another_encoding_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "99_tiny.yml"
    path.write_bytes(CARD.replace("A tiny paper", "Zürich").encode("latin-1"))
    with pytest.raises(UserError, match=r"99_tiny\.yml, line 2: not UTF-8"):
        read_card(path)


def test_text_that_is_not_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"line 3: "):
        read_card(write(tmp_path, "paper:\n  title: x\n  - broken: [\n"))


def test_an_unknown_claim_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"99\.1, 99\.2, 99\.3"):
        read_card(write(tmp_path, CARD)).claim("99.9")
