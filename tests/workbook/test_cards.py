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
    ("old", "new", "line", "words"),
    [
        ("topic: tiny", "topci: tiny", 6, "topci"),
        ("part: Machines", "part: Machinery", 7, "Learning together"),
        ('id: "99.2"', 'id: "ninety"', 22, "pattern"),
        ("expect: {at_least: 0}", "expect: {at_laest: 0}", 21, "at_laest"),
        ("expect: 1", "expect: many", 27, "expects a number"),
        ("source: seen", "source: heard", 26, "seen"),
        ("smoke: {size: 1}", "smok: {size: 1}", 10, "smok"),
        ('id: "99.2"', 'id: "99.1"', 1, "99.1 is used twice"),
        ("default: {}", "default: {size: 4}", 1, "must be {}"),
    ],
)
def test_a_typo_is_told_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, words: str
) -> None:
    assert old in CARD
    with pytest.raises(UserError) as fault:
        read_card(write(tmp_path, CARD.replace(old, new)))
    message = str(fault.value)
    assert "\n" not in message
    assert words in message
    assert "99_tiny.yml, line " in message
    told = int(message.split("line ")[1].split(":")[0])
    assert abs(told - line) <= 1


def test_text_that_is_not_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"line 3: "):
        read_card(write(tmp_path, "paper:\n  title: x\n  - broken: [\n"))


def test_an_unknown_claim_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"99\.1, 99\.2, 99\.3"):
        read_card(write(tmp_path, CARD)).claim("99.9")
