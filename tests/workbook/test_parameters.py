from pathlib import Path
from typing import Any

import pytest

from quire.workbook.chapters import Chapter, find_chapter
from quire.workbook.errors import UserError
from quire.workbook.notebooks import dumps
from quire.workbook.parameters import (
    declared,
    injection,
    parse_assignments,
    parse_given,
    parse_value,
    resolve,
)

from .conftest import CARD

NO_RANGES = CARD[: CARD.index("parameters:")] + CARD[CARD.index("claims:") :]


def declare(chapter: Chapter, cell: str) -> Chapter:
    """Give the chapter another parameters cell, and a card without ranges."""
    notebook = chapter.read()
    notebook.cells[1].source = cell
    chapter.notebook.write_text(dumps(notebook))
    chapter.notebook.with_suffix(".yml").write_text(NO_RANGES)
    return find_chapter("99")


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


@pytest.mark.parametrize(
    ("line", "name", "kind", "default", "told"),
    [
        (
            "a: int = 3  # items, where x <= 2 and y = 1",
            "a",
            "int",
            3,
            "items, where x <= 2 and y = 1",
        ),
        ('a: str = "x=1 <= 2"  # word', "a", "str", "x=1 <= 2", "word"),
        ("a: int | None = None", "a", "int | None", None, ""),
        ("a: 'int' = 3", "a", "int", 3, ""),
        ("from typing import Optional\na: Optional[int] = None", "a", "Optional[int]", None, ""),
        ("import typing\na: typing.Optional[int] = 2", "a", "Optional[int]", 2, ""),
        ("a: int = 60 * 60  # s", "a", "int", 3600, "s"),
        ("a: float = math.pi", "a", "float", 3.141592653589793, ""),
        ('a: str = "#fff"  # colour', "a", "str", "#fff", "colour"),
        ('a: str = """one\ntwo\n"""  # text', "a", "str", "one\ntwo\n", "text"),
        (
            "a: list[int] = [\n    1,  # first\n    -2,\n]  # both",
            "a",
            "list[int]",
            [1, -2],
            "both",
        ),
        ("a: tuple[int, ...] = (1, 2)", "a", "tuple[int, ...]", [1, 2], ""),
        ("a: dict[str, float] = {'x': 0.5}", "a", "dict[str, float]", {"x": 0.5}, ""),
        ("a = -1.5e3", "a", "float", -1500.0, ""),
        ("a: float = 1", "a", "float", 1, ""),
        ("a: Literal['x', 'y'] = 'x'", "a", "Literal['x', 'y']", "x", ""),
    ],
)
def test_every_way_to_write_a_parameter_is_read(
    tiny: Chapter, line: str, name: str, kind: str, default: Any, told: str
) -> None:
    (parameter,) = declared(declare(tiny, line)).values()
    found = (parameter.name, parameter.type, parameter.default, parameter.help)
    assert found == (name, kind, default, told)


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("a: int = ", "not Python, line 1"),
        ("%matplotlib inline", "not Python"),
        ("a: int = int('3')", "default of parameter a can not be read"),
        ("a: float = float('inf')", "default of parameter a can not be read"),
        ("a: float = 1e999", "is not finite"),
        ("a: float = math.inf", "can not be read"),
        ("a: int = b", "can not be read"),
        ("a: bytes = b'x'", "can not be read"),
        ("a: str = f'{3}'", "can not be read"),
        ("a: int = 1 / 0", "can not be read"),
        ("a: int = 9**9**9", "can not be read"),
        ("a: dict = {1: 2}", "keys are texts"),
        ("a: int = 'x'", "'x', is not of type int"),
        ("a: Path = 'x'", "a type that can not be read"),
        ("a: __import__('os').system('true') = 1", "a type that can not be read"),
        ("seed = None", "parameter seed = None has no type"),
        ("a: int = 1\na: int = 2", "declares a twice"),
        ("a, b = 1, 2", "line 1, is no parameter"),
        ("for a in [1]: pass", "is no parameter"),
        ("a: int", "is no parameter"),
    ],
)
def test_what_can_not_be_read_is_refused_in_one_line(tiny: Chapter, cell: str, words: str) -> None:
    with pytest.raises(UserError) as fault:
        declared(declare(tiny, cell))
    assert words in str(fault.value)
    assert "\n" not in str(fault.value)


def test_two_cells_of_parameters_and_a_range_of_nothing_are_refused(tiny: Chapter) -> None:
    card = tiny.notebook.with_suffix(".yml")
    card.write_text(card.read_text().replace("  size: {at_least", "  sise: {at_least"))
    with pytest.raises(UserError, match="a range for 'sise', which the notebook does not declare"):
        declared(find_chapter("99"))
    notebook = tiny.read()
    notebook.cells[3].metadata["tags"] = ["parameters"]
    tiny.notebook.write_text(dumps(notebook))
    with pytest.raises(UserError, match="2 cells are tagged parameters"):
        declared(find_chapter("99"))


@pytest.mark.parametrize(
    "text",
    ["007", "yes", "2024-01-01", "", "plain # x", "1:2", "null", "[1]", "'a'", "  ", "a,b"],
)
def test_a_declared_text_takes_the_text_as_it_is(tiny: Chapter, text: str) -> None:
    chapter = declare(tiny, 'word: str = "plain"')
    assert parse_given(chapter, {"word": text}) == {"word": text}
    assert resolve(chapter, {"word": text}) == {"word": text}


@pytest.mark.parametrize(
    "text",
    ["1:2", "1_0_", "010", "0x", "yes", "2024-13-45", "2024-01-01", "9" * 5000, "3 # x", "３",
     "9223372036854775808", "1e2", "None", "nan", "[" * 5000, "\x00", "\udc80"],
)  # fmt: skip
def test_a_number_is_written_as_a_number(tiny: Chapter, text: str) -> None:
    chapter = declare(tiny, "size: int = 3")
    with pytest.raises(UserError) as fault:
        resolve(chapter, parse_given(chapter, {"size": text}))
    assert "size" in str(fault.value)
    assert len(str(fault.value)) < 300


def test_a_cell_that_sets_parameters_holds_values_of_the_declared_types(tiny: Chapter) -> None:
    chapter = declare(
        tiny, "a: float = 0.5\nb: tuple[int, ...] = (1,)\nc: str = ''\nd: int | None = 3"
    )
    source = injection(chapter, {"a": 2, "b": [1, 2], "c": 'q"\n\\', "d": None})
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    wanted = {"a": 2.0, "b": (1, 2), "c": 'q"\n\\', "d": None}
    assert {name: namespace[name] for name in wanted} == wanted
    assert type(namespace["a"]) is float


def test_a_file_is_named_from_the_present_folder(
    tiny: Chapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chapter = declare(tiny, 'table: str = ""  # file, where it goes\nword: str = ""  # text')
    monkeypatch.chdir(tmp_path)
    chosen = resolve(chapter, {"table": "out.csv", "word": "out.csv"})
    assert chosen == {"table": str(tmp_path / "out.csv"), "word": "out.csv"}
    assert resolve(chapter, {"table": ""}) == {"table": ""}
