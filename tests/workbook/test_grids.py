import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.workbook.chapters import Chapter
from quire.workbook.errors import UserError
from quire.workbook.grids import MOST_POINTS, parse_grid, parse_sweeps, points_of
from quire.workbook.parameters import declared


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1,2,4", [1, 2, 4]),
        ("7", [7]),
        ("0.1:0.9:5", [0.1, 0.3, 0.5, 0.7, 0.9]),
        ("10:50:5", [10, 20, 30, 40, 50]),
        ("0:1:3", [0.0, 0.5, 1.0]),
        ("5:1:3", [5, 3, 1]),
        ("-1e-3:1e-3:2", [-0.001, 0.001]),
        ("1,2:4:3,9", [1, 2, 3, 4, 9]),
        ("[[1,2,3]],[[4,5,6],[7,8,9]]", [[[1, 2, 3]], [[4, 5, 6], [7, 8, 9]]]),
        ("plain, fancy", ["plain", "fancy"]),
        ("'a,b',c", ["a,b", "c"]),
        ("true,false", [True, False]),
        ("broker:fast,slow", ["broker:fast", "slow"]),
    ],
)
def test_a_sweep_reads_as_typed(text: str, values: list) -> None:
    parsed = parse_grid({"a": text})["a"]
    assert parsed == values
    assert [type(value) for value in parsed] == [type(value) for value in values]


@given(
    st.floats(-1e6, 1e6).map(lambda x: round(x, 6)),
    st.floats(-1e6, 1e6).map(lambda x: round(x, 6)),
    st.integers(2, 40),
)
@settings(max_examples=60)
def test_a_range_has_its_ends_and_equal_steps(start: float, stop: float, count: int) -> None:
    values = parse_grid({"a": f"{start!r}:{stop!r}:{count}"})["a"]
    assert len(values) == count
    assert values[0] == pytest.approx(start, rel=1e-11)
    assert values[-1] == pytest.approx(stop, rel=1e-11)
    scale = max(abs(start), abs(stop), 1.0)
    assert np.ptp(np.diff(values)) <= 1e-10 * scale


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no values"),
        ("1,,2", "empty value"),
        ("1,", "empty value"),
        ("[1,2", "does not close"),
        ("1],[2", "does not close"),
        ("'a", "does not close"),
        ("0:1:1", "range of 1 points"),
        ("0:1:0", "range of 0 points"),
        ("0:1:999999999", "range of 999,999,999 points"),
    ],
)
def test_a_bad_sweep_is_one_line_that_names_it(text: str, says: str) -> None:
    with pytest.raises(UserError, match="a") as caught:
        parse_grid({"a": text})
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_points_are_the_product_with_everything_else_filled_in(tiny: Chapter) -> None:
    points = points_of(tiny, {"size": [1, 2], "word": ["plain", "raise"]})
    assert points == [
        {"size": 1, "word": "plain"},
        {"size": 1, "word": "raise"},
        {"size": 2, "word": "plain"},
        {"size": 2, "word": "raise"},
    ]
    assert points_of(tiny, {"word": ["plain"]}) == [{"size": 3, "word": "plain"}]
    assert points_of(tiny, {"word": ["plain"]}, "full") == [{"size": 100, "word": "plain"}]
    assert points_of(tiny, {"word": ["plain"]}, "full", {"size": 5})[0]["size"] == 5


def test_numpy_values_are_taken_as_python_ones(tiny: Chapter) -> None:
    points = points_of(tiny, {"size": np.arange(3)})
    assert [point["size"] for point in points] == [0, 1, 2]
    assert {type(point["size"]) for point in points} == {int}


@pytest.mark.parametrize(
    ("grid", "given_values", "says"),
    [
        ({}, {}, "nothing to sweep"),
        ({"size": []}, {}, "no values"),
        ({"size": "123"}, {}, "no values"),
        ({"sise": [1]}, {}, "no parameter 'sise'"),
        ({"size": [1, "two"]}, {}, "'two' is not of type int"),
        ({"size": [1, 2.5]}, {}, "2.5 is not of type int"),
        ({"size": [1, 1001]}, {}, "1001 is out of range"),
        ({"size": [1, 2, 1]}, {}, "lists 1 twice"),
        ({"word": ["plain", "odd"]}, {}, "'odd' is unknown"),
        ({"size": [1]}, {"size": 2}, "both given and swept"),
        ({"size": [1]}, {"word": 3}, "3"),
        ({"size": [1]}, {"other": 3}, "no parameter 'other'"),
    ],
)
def test_a_bad_grid_is_one_line_that_names_it(
    tiny: Chapter, grid: dict, given_values: dict, says: str
) -> None:
    with pytest.raises(UserError) as caught:
        points_of(tiny, grid, given=given_values)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_grid_beyond_reason_is_refused_before_it_is_built(tiny: Chapter) -> None:
    side = math.isqrt(MOST_POINTS) + 1
    chapter = tiny
    text = chapter.notebook.with_suffix(".yml").read_text()
    chapter.notebook.with_suffix(".yml").write_text(text.replace("at_most: 1000", "at_most: 9999"))
    notebook = chapter.notebook.read_text().replace(
        'word: str = \\"plain\\"', 'many: int = 1  # unit, meaning\\nword: str = \\"plain\\"'
    )
    chapter.notebook.write_text(notebook)
    with pytest.raises(UserError, match="points"):
        points_of(Chapter(chapter.notebook), {"size": list(range(side)), "many": list(range(side))})


def test_a_declared_text_is_swept_as_texts(tiny: Chapter) -> None:
    known = declared(tiny)
    for text, values in (
        ("007,yes", ["007", "yes"]),
        ("don't,[x", ["don't", "[x"]),
        ("'a,b',\"\", c ", ["a,b", "", "c"]),
        ("1:3:3", ["1:3:3"]),
        ("", [""]),
    ):
        assert parse_grid({"word": text}, known)["word"] == values
    with pytest.raises(UserError, match="empty value"):
        parse_grid({"word": "a,,b"}, known)


@pytest.mark.parametrize("text", ["1:2", "1::3", "1:2:x", "0:1e999:3", "1:2:3:4", "1:2:1.5"])
def test_what_is_almost_a_range_is_refused(tiny: Chapter, text: str) -> None:
    with pytest.raises(UserError, match="size"):
        points_of(tiny, parse_sweeps(tiny, {"size": text}))


def test_whole_ranges_are_exact() -> None:
    top = 2**62
    assert parse_grid({"a": f"{top}:{top + 2}:3"})["a"] == [top, top + 1, top + 2]


def test_a_number_beyond_64_bits_is_refused_before_anything_runs(tiny: Chapter) -> None:
    with pytest.raises(UserError, match="more than 64 bits"):
        points_of(tiny, {"size": [1, 2**63]})
