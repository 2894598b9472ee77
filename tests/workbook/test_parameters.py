from typing import Any

import pytest

from quire.workbook.chapters import Chapter
from quire.workbook.errors import UserError
from quire.workbook.parameters import declared, parse_assignments, parse_value, resolve


def test_the_parameters_cell_declares_name_type_default_and_help(tiny: Chapter) -> None:
    size = declared(tiny)["size"]
    assert (size.type, size.default, size.help) == ("int", 3, "items, how many")
    assert size.allowed.at_most == 1000


def test_given_values_win_over_the_profile(tiny: Chapter) -> None:
    assert resolve(tiny, {}, "default") == {}
    assert resolve(tiny, {}, "full") == {"size": 100}
    assert resolve(tiny, {"size": 7}, "full") == {"size": 7}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"sise": 1}, "no parameter 'sise': use one of size, word"),
        ({"size": "many"}, "size = 'many' is not of type int"),
        ({"size": 1.5}, "not of type int"),
        ({"size": True}, "not of type int"),
        ({"size": [1]}, "not of type int"),
        ({"size": -1}, "out of range: give a value from 0 to 1000"),
        ({"size": 1001}, "out of range"),
        ({"size": float("nan")}, "size = nan"),
        ({"word": 3}, "word = 3 is not of type str"),
        ({"word": "shout"}, "use one of plain, raise, die, hang"),
    ],
)
def test_bad_values_name_the_parameter_and_the_remedy(
    tiny: Chapter, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError) as fault:
        resolve(tiny, given)
    assert words in str(fault.value)
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("1e-3", 0.001),
        ("true", True),
        ("False", False),
        ("gaussian", "gaussian"),
        ("[1, 2]", [1, 2]),
        ("[[1,2,3],[4,5,6]]", [[1, 2, 3], [4, 5, 6]]),
        ("(1, 2)", [1, 2]),
        ("", None),
        ("null", None),
    ],
)
def test_words_of_the_command_line_become_values(text: str, value: Any) -> None:
    assert parse_value(text) == value


@pytest.mark.parametrize(
    ("pairs", "words"),
    [(["size"], "has no value"), (["=3"], "has no value"), (["a=1", "a=2"], "a is given twice")],
)
def test_bad_assignments(pairs: list[str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        parse_assignments(pairs)
