"""Charts: what a notebook stores of them, and what they must say of themselves."""

import json

import altair as alt
import pandas as pd
import pytest
import vl_convert
from IPython.core.formatters import DisplayFormatter

from quire.workbook import charts
from quire.workbook.errors import UserError


@pytest.fixture
def enabled() -> object:
    """Quire's theme and renderer, switched on for one test."""
    theme, renderer = alt.theme.active, alt.renderers.active
    charts.enable()
    yield
    alt.theme.enable(theme)
    alt.renderers.enable(renderer)


def chart(**given: object) -> alt.Chart:
    told = {"title": "Twice as much", "description": "A line that rises twice as fast as x."}
    rows = [{"x": x, "y": 2 * x} for x in range(4)]
    return (
        alt.Chart(alt.Data(values=rows), **{**told, **given})
        .mark_line()
        .encode(alt.X("x:Q", title="x (words)"), alt.Y("y:Q", title="y (words)"))
    )


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_an_output_is_specification_picture_and_text(enabled: None) -> None:
    bundle, metadata = DisplayFormatter().format(chart())
    assert set(bundle) == {"application/vnd.vegalite.v5+json", "image/png", "text/plain"}
    assert bundle["text/plain"] == "A line that rises twice as fast as x."
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert bundle["application/vnd.vegalite.v5+json"]["config"]["font"] == "sans-serif"
    assert metadata == {}


def test_a_table_keeps_types_and_draws_as_records_do(enabled: None) -> None:
    frame = pd.DataFrame(
        {
            "x": [1, 2, 3],
            "y": [0.5, None, 1.25],
            "late": [True, False, True],
            "of": ["a", 'b"', ","],
        }
    )
    data = charts.table(frame)
    told = {"title": "Flags", "description": "Three marks, of which the flag hides one."}

    def drawn(source: object) -> dict[str, object]:
        spec = (
            alt.Chart(source, **told)
            .transform_filter("datum.late")
            .mark_point()
            .encode(alt.X("x:Q", title="x"), alt.Y("y:Q", title="y"), alt.Color("of:N"))
            .to_dict()
        )
        assert charts.problems(spec) == ()
        return spec

    spec = drawn(data)
    assert list(spec["datasets"].values()) == [
        'x,y,late,of\n1,0.5,true,a\n2,,false,"b"""\n3,1.25,true,","\n'
    ]
    assert spec["data"]["format"]["parse"] == {
        "x": "number", "y": "number", "late": "boolean", "of": "string"
    }  # fmt: skip
    svg = [vl_convert.vegalite_to_svg(json.dumps(each)) for each in (spec, drawn(frame))]
    assert svg[0] == svg[1]


def test_the_same_chart_gives_the_same_bytes(enabled: None) -> None:
    assert charts.mimebundle(chart().to_dict()) == charts.mimebundle(chart().to_dict())


def test_the_last_bits_of_a_processor_are_not_stored(enabled: None) -> None:
    def stored(nudge: float) -> dict[str, object]:
        frame = pd.DataFrame({"x": [1, 2], "y": [1 / 3 + nudge, 2e9 / 3]})
        return charts.mimebundle(alt.Chart(frame).mark_point().encode(x="x:Q", y="y:Q").to_dict())

    spec = stored(0.0)[charts.VEGALITE_MIME]
    assert spec["datasets"] == {"data-0": [{"x": 1, "y": 0.333333}, {"x": 2, "y": 666667000.0}]}
    assert spec["data"] == {"name": "data-0"}
    assert stored(1e-16) == stored(0.0)


def test_a_whole_chart_has_no_problems(enabled: None) -> None:
    assert charts.problems(chart().to_dict()) == ()


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (chart(title=""), "no title"),
        (chart(description=""), "no description"),
        (chart(description="A line."), "no description"),
        (chart().encode(alt.X("x:Q")), "axis x of field 'x' has no title"),
        (chart().mark_line(color="black"), "black"),
        (chart().encode(color=alt.value("#FFFFFF")), "#FFFFFF"),
        (
            chart().encode(
                stroke=alt.condition("datum.x > 1", alt.value("black"), alt.value("red"))
            ),
            "black",
        ),
    ],
)
def test_what_a_chart_lacks_is_told(spec: alt.Chart, problem: str) -> None:
    (found,) = charts.problems(spec.to_dict())
    assert problem in found


def test_a_chart_that_vega_can_not_draw_is_told() -> None:
    spec = {**chart().to_dict(), "mark": "nonsense"}
    assert [p[:31] for p in charts.problems(spec)] == [
        "does not compile in Vega-Lite 5",
        "does not compile in Vega-Lite 6",
    ]


def test_every_view_of_a_composed_chart_is_looked_at() -> None:
    bare = chart().encode(alt.X("x:Q"))
    beside = (chart(title="") | bare.properties(title="")).properties(
        title="Two", description="A chart and the same chart again."
    )
    assert charts.problems(beside.to_dict()) == ("axis x of field 'x' has no title",)


def test_layers_share_the_axis_title_that_one_of_them_names() -> None:
    layers = (chart() + chart().mark_point().encode(alt.X("x:Q"))).properties(
        title="Two", description="A line and the points that it joins."
    )
    assert charts.problems(layers.to_dict()) == ()


def test_an_axis_switched_off_needs_no_title() -> None:
    assert charts.problems(chart().encode(alt.X("x:Q", axis=None)).to_dict()) == ()


@pytest.mark.parametrize("colour", [*charts.CATEGORIES, *charts.VERDICT_COLOURS.values()])
def test_every_colour_is_seen_in_both_themes(colour: str) -> None:
    assert contrast(colour, charts.LIGHT.ground) >= 3
    assert contrast(colour, charts.DARK.ground) >= 3
    assert contrast(charts.DARK_TONES[colour], charts.DARK.ground) >= 6


def test_a_chart_for_the_dark_keeps_its_hues(enabled: None) -> None:
    drawn = charts.for_dark(chart().mark_line(color="#0072B2").to_dict())
    assert drawn["mark"]["color"] == charts.DARK_TONES["#0072b2"]
    assert drawn["config"]["background"] == charts.DARK.ground
    assert drawn["config"]["range"]["category"] == list(charts.DARK.data)
    assert tuple(charts.DARK_TONES) == (*charts.CATEGORIES, charts.ON_HUE)


@pytest.mark.parametrize("colour", charts.CATEGORIES)
def test_words_on_a_tile_are_read_in_both_themes(colour: str) -> None:
    assert contrast(charts.ON_HUE, colour) >= 3
    assert contrast(charts.DARK_TONES[charts.ON_HUE], charts.DARK_TONES[colour]) >= 6


@pytest.mark.parametrize("ink", [charts.LIGHT, charts.DARK])
def test_words_are_read_in_both_themes(ink: charts.Ink) -> None:
    assert contrast(ink.text, ink.ground) >= 7
    config = charts.config(ink)
    assert config["axis"]["labelColor"] == config["legend"]["titleColor"] == ink.text


def test_legends_stand_below_and_in_columns(enabled: None) -> None:
    rows = [{"x": i, "y": i, "policy": f"policy with a long name {i}"} for i in range(8)]
    drawn = (
        alt.Chart(alt.Data(values=rows), title="Policies", description="One point a policy.")
        .mark_point()
        .encode(alt.X("x:Q", title="x"), alt.Y("y:Q", title="y"), alt.Color("policy:N"))
    )
    legend = drawn.to_dict()["config"]["legend"]
    assert (legend["orient"], legend["columns"]) == ("bottom", 3)
    assert "…" not in vl_convert.vegalite_to_svg(json.dumps(drawn.to_dict()))


def test_long_titles_are_wrapped_to_the_plot_and_read_as_one(enabled: None) -> None:
    words = "A title of rather many words that goes on and on, past the right edge of its plot, on"
    spec = chart(title=alt.Title(words, subtitle=f"{words} and on")).to_dict()
    stored = charts.mimebundle(spec)[charts.VEGALITE_MIME]
    assert len(stored["title"]["text"]) == 2
    assert max(map(len, stored["title"]["text"])) <= 74
    assert (charts.title(stored), charts.subtitle(stored)) == (words, f"{words} and on")
    assert charts.wrapped(chart(title="Short").to_dict())["title"] == "Short"
    assert "title" not in charts.wrapped({"mark": "point"})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_told_with_its_row(enabled: None, value: float) -> None:
    rows = [{"x": 1.0, "y": 2.0}, {"x": 2.0, "y": value}]
    drawn = chart().properties(data=alt.Data(values=rows))
    with pytest.raises(UserError) as caught:
        charts.mimebundle(drawn.to_dict())
    assert f"chart 'Twice as much': y = {value} in row 2 of its data: leave" in str(caught.value)
    plain = pd.DataFrame({"x": [1.0, 2.0], "y": [2.0, value]})
    charts.mimebundle(chart().properties(data=plain).to_dict())  # Altair makes it null


def test_titles_of_every_form_are_read() -> None:
    assert charts.title({"title": ["Two", "lines"]}) == "Two lines"
    both = {"title": {"text": "One", "subtitle": ["a", "b"]}}
    assert (charts.title(both), charts.subtitle(both)) == ("One", "a b")
    assert charts.title({}) == charts.subtitle({"title": "One"}) == ""
