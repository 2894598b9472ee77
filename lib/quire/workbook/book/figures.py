"""Figures: a chart as it stands in a page, drawn there by the page's own script."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any

from quire.workbook import charts

_BOOK_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"


def figure(
    spec: Mapping[str, Any], identifier: str, png: str | None = None, code: str | None = None
) -> str:
    """Return the HTML of a chart in the book.

    Parameters
    ----------
    spec
        The chart's specification. Its title moves into the page's text, where it can wrap.
    identifier
        The figure's id in the page.
    png
        The chart's picture in base64, for a reader without scripts.
    code
        The id of the cell that made the chart.
    """
    words = html.escape(charts.description(dict(spec)) or charts.title(dict(spec)))
    heading = html.escape(charts.title(dict(spec)))
    second = html.escape(charts.subtitle(dict(spec)))
    drawn = {key: value for key, value in spec.items() if key not in ("title", "background")}
    # "</script>" inside a string would end the element.
    data = json.dumps({**drawn, "$schema": _BOOK_SCHEMA}, sort_keys=True).replace("</", "<\\/")
    parts = [f'<figure class="quire-figure" id="{identifier}">']
    if heading:
        parts.append(f'<div class="quire-figure-title">{heading}</div>')
    if second:
        parts.append(f'<div class="quire-figure-subtitle">{second}</div>')
    parts.append(f'<div class="quire-chart" role="img" aria-label="{words}"></div>')
    parts.append('<div class="quire-controls"></div>')
    parts.append(f'<script type="application/json">{data}</script>')
    if png:
        source = f"data:image/png;base64,{png}"
        parts.append(f'<noscript><img alt="{words}" src="{source}"></noscript>')
    if code:
        parts.append(
            f'<figcaption><a href="#{code}">The cell that made this chart</a></figcaption>'
        )
    return "\n".join((*parts, "</figure>"))
