"""Charts: one Altair theme, one renderer, and what every chart must say of itself.

A chapter draws with plain Altair. `enable`, which `quire.workbook.begin` calls, makes the notebook
store each chart as three things: its Vega-Lite specification, which JupyterLab draws and the book
draws live; a PNG, for readers that draw nothing, such as GitHub; and its description, as text.
Nothing in them is random: no element ids, no markup, and a font that the PNG writer carries itself.
"""

from __future__ import annotations

import io
import json
import math
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import altair as alt
import vl_convert
from PIL import Image

from quire.workbook.errors import UserError
from quire.workbook.files import check_writable, write_atomically

# JupyterLab 4 carries Vega-Lite 5 and knows no later name; what Altair writes, it draws as well.
VEGALITE_MIME = "application/vnd.vegalite.v5+json"
_NOTEBOOK_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
_NOTEBOOK_VERSION = "5.8"
_BOOK_VERSION = "6.4"

DIGITS = 6
"""Significant digits of a chart's data: more than a picture shows, fewer than processors share."""

_WIDTH = 560  # px of a plot that names no width
_TITLE_SIZE, _SUBTITLE_SIZE = 14, 12  # px
_CHARACTER = 0.54  # of its size is how wide a letter of a title is

if TYPE_CHECKING:
    import pandas as pd

Spec = dict[str, Any]

# Okabe and Ito's hues, the bright ones darkened, so that each colour keeps a contrast of 3:1
# against white and against the dark theme's ground, and neighbours differ for every kind of
# colour vision.
CATEGORIES = ("#0072b2", "#d55e00", "#009e73", "#b8609a", "#a6761d", "#6f6fc6", "#7f7f7f")
VERDICT_COLOURS = {
    "reproduced": "#009e73",
    "differs": "#a6761d",
    "not reproduced": "#d55e00",
    "undecided": "#6f6fc6",
    "not run here": "#7f7f7f",
}

# Words on a tile of one of these hues: white; ink in the dark theme, where the hues are brighter.
ON_HUE = "#fffffe"

# The same hues, brighter: what stands for each colour on the dark theme's ground. Prose may name a
# hue, and points that are half transparent can still be seen.
DARK_TONES = {
    "#0072b2": "#56a9e0",
    "#d55e00": "#f38b42",
    "#009e73": "#38c99c",
    "#b8609a": "#dd95c8",
    "#a6761d": "#d9ae52",
    "#6f6fc6": "#a2a2f2",
    "#7f7f7f": "#b4b4b4",
    ON_HUE: "#14181e",
}


@dataclass(frozen=True)
class Ink:
    """The colours of everything in a chart that is not data, and the data's own."""

    ground: str
    text: str
    line: str
    grid: str
    data: tuple[str, ...]


LIGHT = Ink("#ffffff", text="#24292f", line="#6b7280", grid="#e5e7eb", data=CATEGORIES)
DARK = Ink(
    "#14181e",
    text="#e6e6e6",
    line="#9ca3af",
    grid="#343b45",
    data=tuple(DARK_TONES[hue] for hue in CATEGORIES),
)


def enable() -> None:
    """Make the running notebook show every Altair chart by Quire's theme and renderer."""
    alt.theme.register("quire", enable=True)(theme)
    alt.renderers.register("quire", mimebundle)  # type: ignore[arg-type]
    alt.renderers.enable("quire")


def theme() -> alt.theme.ThemeConfig:
    """Return the theme of a chart in a notebook: dark ink on white, whatever the page's theme."""
    return {"config": config(LIGHT)}  # type: ignore[typeddict-item]


def config(ink: Ink) -> dict[str, Any]:
    """Return the Vega-Lite configuration that draws with ``ink``.

    The hues of data are the same for every ink, so that prose may name them.
    """
    words = {"labelColor": ink.text, "titleColor": ink.text}
    return {
        "background": ink.ground,
        "font": "sans-serif",
        "view": {"continuousWidth": _WIDTH, "continuousHeight": 300, "stroke": None},
        "title": {
            "anchor": "start",
            "fontSize": _TITLE_SIZE,
            "color": ink.text,
            "subtitleColor": ink.text,
            "subtitleFontSize": _SUBTITLE_SIZE,
            "offset": 12,
        },
        "axis": {
            **words,
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "domainColor": ink.line,
            "tickColor": ink.line,
            "gridColor": ink.grid,
            "labelSeparation": 6,  # between the labels that greedy overlap removal keeps
            "labelLimit": 260,  # Vega cuts words off at 180
            "titleLimit": 560,
        },
        "legend": {
            **words,
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "labelLimit": 260,  # Vega cuts words off at 160
            # Below the plot, where a column's width is the plot's, each legend under the other.
            "orient": "bottom",
            "columns": 3,
            "layout": {"bottom": {"anchor": "start", "direction": "vertical"}},
            "symbolBaseFillColor": ink.line,  # of sizes and shapes: black, if nobody says
        },
        "header": {**words, "labelFontSize": 12, "titleFontSize": 12},
        "style": {
            "guide-label": {"fill": ink.text},
            "guide-title": {"fill": ink.text},
            "group-title": {"fill": ink.text},
        },
        "text": {"color": ink.text, "fontSize": 12},
        "rule": {"color": ink.line},
        "mark": {"color": ink.data[0]},
        "line": {"strokeWidth": 2},
        "point": {"filled": True, "size": 45, "opacity": 0.9},
        "range": {
            "category": list(ink.data),
            "heatmap": {"scheme": "cividis"},
            "ramp": {"scheme": "cividis"},
            "diverging": {"scheme": "purpleorange"},
        },
    }


def table(frame: pd.DataFrame) -> alt.InlineData:
    """Return a frame as a chart's data in CSV: a third of the bytes that a record per row takes.

    The types of its columns travel with it; what is neither number nor flag is text. Fractions
    keep `DIGITS` digits.
    """
    kinds = {"b": "boolean", "i": "number", "u": "number", "f": "number"}
    parse = {str(name): kinds.get(frame[name].dtype.kind, "string") for name in frame.columns}
    flags = [name for name, kind in parse.items() if kind == "boolean"]
    # Vega knows "false", and takes Python's "False" for true
    plain = frame.assign(
        **{name: frame[name].map({True: "true", False: "false"}) for name in flags}
    )
    values = plain.to_csv(index=False, lineterminator="\n", float_format=f"%.{DIGITS}g")
    return alt.InlineData(values=values, format=alt.CsvDataFormat(type="csv", parse=parse))


def mimebundle(spec: Spec, **_options: Any) -> dict[str, Any]:
    """Return a chart's output: specification, PNG and text. This is the renderer Altair calls.

    Raises
    ------
    UserError
        When the data hold a number that is none (NaN or infinite), which JSON can not tell.
    """
    _check_finite(spec)
    spec = {**stable(wrapped(spec)), "$schema": _NOTEBOOK_SCHEMA}
    return {
        VEGALITE_MIME: spec,
        "image/png": png(spec),
        "text/plain": description(spec) or f"Chart: {title(spec)}",
    }


def stable(spec: Spec) -> Spec:
    """Return the chart with its data as another processor would give them.

    Fractions keep `DIGITS` digits, and data sets are numbered: Altair names them by a hash of all.
    """
    data = spec.get("datasets", {})
    text = json.dumps({**spec, "datasets": {}} if data else spec)
    for number, name in enumerate(data):
        text = text.replace(json.dumps(name), json.dumps(f"data-{number}"))
    kept = {f"data-{number}": _rounded(rows) for number, rows in enumerate(data.values())}
    return {**json.loads(text), "datasets": kept} if data else json.loads(text)


def wrapped(spec: Spec) -> Spec:
    """Return the chart with its title and subtitle on as many lines as the plot's width asks."""
    given = spec.get("title")
    parts = dict(given) if isinstance(given, Mapping) else {"text": given}
    width = spec.get("width")
    pixels = width if isinstance(width, int | float) else _WIDTH
    for key, size in (("text", _TITLE_SIZE), ("subtitle", _SUBTITLE_SIZE)):
        text = parts.get(key)
        if isinstance(text, str):
            lines = textwrap.wrap(text, max(40, int(pixels / (_CHARACTER * size))))
            if len(lines) > 1:
                parts[key] = lines
    if not given:
        return spec
    return {**spec, "title": parts if isinstance(given, Mapping) else parts["text"]}


def png(spec: Spec) -> bytes:
    """Return the chart as a PNG, at one and a half times a plain screen's pixels."""
    drawn = vl_convert.vegalite_to_png(json.dumps(spec), vl_version=_BOOK_VERSION, scale=1.5)
    return with_palette(bytes(drawn))


def save(chart: Any, path: Path) -> None:
    """Write an Altair chart to ``path``, whole or not at all, in the form its suffix names.

    An HTML page carries its own scripts and asks for nothing from a network.

    Raises
    ------
    UserError
        For a suffix other than .svg, .png and .html, or a place that can not be written.
    """
    spec = {**wrapped(chart.to_dict()), "$schema": _NOTEBOOK_SCHEMA}
    text = json.dumps(spec)
    match path.suffix:
        case ".svg":
            content: str | bytes = vl_convert.vegalite_to_svg(text, vl_version=_BOOK_VERSION)
        case ".png":
            content = png(spec)
        case ".html":
            content = vl_convert.vegalite_to_html(text, vl_version=_BOOK_VERSION, bundle=True)
        case _:
            raise UserError(f"{path} names no form of a chart", "let it end in .svg, .png or .html")
    write_atomically(check_writable(path), content)


def with_palette(picture: bytes) -> bytes:
    """Return a PNG with 256 colours: a chart has few, and a notebook carries it in base64."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    small = image.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    small.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def for_dark(spec: Spec) -> Spec:
    """Return the chart as it stands on the dark theme's ground; the pages' script does the same."""
    text = json.dumps({**spec, "config": {**spec.get("config", {}), **config(DARK)}})
    for light, dark in DARK_TONES.items():
        text = re.sub(f'"{light}"', f'"{dark}"', text, flags=re.IGNORECASE)
    return dict(json.loads(text))


def title(spec: Spec) -> str:
    """Return the chart's title as one line, empty when it has none."""
    return " ".join(_lines(spec.get("title", ""), "text"))


def subtitle(spec: Spec) -> str:
    """Return the chart's subtitle as one line, empty when it has none."""
    given = spec.get("title", "")
    return " ".join(_lines(given, "subtitle")) if isinstance(given, Mapping) else ""


def description(spec: Spec) -> str:
    """Return the chart's text alternative, empty when it has none."""
    return str(spec.get("description", "")).strip()


def problems(spec: Spec) -> tuple[str, ...]:
    """Return what a chart fails to say of itself, and what would break it where it is shown.

    It must have a title, a description, a title for every axis, no mark in plain black or white
    (one of them is lost in one of the themes), and compile in JupyterLab's and in the book's Vega.
    """
    found = []
    if not title(spec):
        found.append("the chart has no title")
    if len(description(spec)) < 20:
        found.append("the chart has no description that could stand in for it")
    for channel, definition in _positions(spec):
        if not _axis_title(definition):
            found.append(f"axis {channel} of field {definition['field']!r} has no title")
    found += [f"a mark is {colour}, which one theme hides" for colour in _plain_colours(spec)]
    for version in (_NOTEBOOK_VERSION, _BOOK_VERSION):
        try:
            vl_convert.vegalite_to_vega(json.dumps(spec), vl_version=version)
        except ValueError as fault:
            found.append(f"does not compile in Vega-Lite {version}: {_first_lines(str(fault))}")
    return tuple(dict.fromkeys(found))


def _check_finite(spec: Spec) -> None:
    """Refuse data that JSON can not tell.

    Raises
    ------
    UserError
        For a NaN or an infinity; names the chart, the row and the field.
    """
    data = [spec.get("data"), *(view.get("data") for view in _views(spec))]
    tables = list(dict(spec.get("datasets") or {}).values())
    tables += [each.get("values") for each in data if isinstance(each, Mapping)]
    for rows in tables:
        for number, row in enumerate(rows if isinstance(rows, list) else [], start=1):
            fields = row.items() if isinstance(row, Mapping) else [("value", row)]
            for field, value in fields:
                if isinstance(value, float) and not math.isfinite(value):
                    raise UserError(
                        f"chart {title(spec)!r}: {field} = {value} in row {number} of its data",
                        "leave the row out, or give None for a value that there is not",
                    )


def _rounded(rows: Any) -> Any:
    """Return data with `DIGITS` significant digits in every fraction, however deep it lies."""
    if isinstance(rows, float):
        return float(f"{rows:.{DIGITS}g}")
    if isinstance(rows, list):
        return [_rounded(row) for row in rows]
    if isinstance(rows, dict):
        return {key: _rounded(value) for key, value in rows.items()}
    return rows


def _lines(given: Any, key: str) -> list[str]:
    text = given.get(key, "") if isinstance(given, Mapping) else given
    return [str(line) for line in text] if isinstance(text, list) else [str(text)] if text else []


def _views(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield every unit view of a specification, however it is composed."""
    for key in ("layer", "concat", "hconcat", "vconcat"):
        for part in spec.get(key, ()):
            yield from _views(part)
    if isinstance(spec.get("spec"), Mapping):
        yield from _views(spec["spec"])
    if "mark" in spec:
        yield spec


def _positions(spec: Spec) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the x and y channels of every view that shows an axis for a field of its own.

    Layers share their axes: the first layer that names a title names it for all.
    """
    if "layer" in spec:
        first: dict[str, Mapping[str, Any]] = {}
        for view in _views(spec):
            for channel, definition in _own_positions(view):
                if channel not in first or _axis_title(definition):
                    first[channel] = definition
        yield from first.items()
        return
    for key in ("concat", "hconcat", "vconcat"):
        for part in spec.get(key, ()):
            yield from _positions(part)
    if isinstance(spec.get("spec"), Mapping):
        yield from _positions(spec["spec"])
    if "mark" in spec:
        yield from _own_positions(spec)


def _own_positions(view: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    encoding = view.get("encoding", {})
    for channel in ("x", "y"):
        definition = encoding.get(channel)
        if definition and "field" in definition and definition.get("axis", {}) is not None:
            yield channel, definition


def _axis_title(definition: Mapping[str, Any]) -> Any:
    return definition.get("title") or (definition.get("axis") or {}).get("title")


def _plain_colours(spec: Spec) -> Iterator[str]:
    for view in _views(spec):
        mark = view["mark"] if isinstance(view["mark"], Mapping) else {"type": view["mark"]}
        plain = {"black", "#000", "#000000"}
        if mark["type"] != "text":  # white words may stand on a coloured bar
            plain |= {"white", "#fff", "#ffffff"}
        encoding = view.get("encoding", {})
        for channel in ("color", "fill", "stroke"):
            encoded = encoding.get(channel) or {}
            condition = encoded.get("condition") or {}
            told = condition if isinstance(condition, list) else [condition]
            values = (each.get("value") for each in (encoded, *told))
            for given in (mark.get(channel), *values):
                if isinstance(given, str) and given.lower() in plain:
                    yield given


def _first_lines(fault: str) -> str:
    return " ".join(line.strip() for line in fault.strip().splitlines()[:2])
