"""Staging: from the checkout's sources and executed notebooks to what Sphinx reads.

Nothing is written into the checkout. Each chart of an executed notebook becomes a figure of the
page: its title and the way to its code as text, its specification for the page's script to draw,
and its PNG for a reader without scripts.
"""

from __future__ import annotations

import copy
import html
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import yaml
from nbformat import NotebookNode

from quire.workbook import charts
from quire.workbook.entries import CLAIM_MIME, LEDGER_MIME

_BOOK_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"


def stage_sources(root: Path, folder: Path, config: Mapping[str, Any]) -> None:
    """Copy prose and style of the workbook at ``root`` into ``folder``; write ``config`` there."""
    shutil.copytree(
        root / "book",
        folder / "book",
        ignore=shutil.ignore_patterns("_static", ".ipynb_checkpoints", "*.ipynb"),
        copy_function=shutil.copyfile,
    )
    shutil.copytree(root / "book" / "_static", folder / "_static", copy_function=shutil.copyfile)
    text = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
    (folder / "_config.yml").write_text(text, encoding="utf-8")
    # A read-only checkout must not make the copy read-only.
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def stage_notebook(notebook: NotebookNode, path: Path) -> None:
    """Write an executed notebook to ``path`` as a page of the book.

    Parameters
    ----------
    notebook
        The executed notebook; it is left as it is.
    path
        Where the page's source goes; its stem opens the ids of the page's figures.
    """
    page = copy.deepcopy(notebook)
    for cell in page.cells:
        if cell.cell_type == "code":
            _stage_cell(cell, path.stem)
    if "quire" in page.metadata:
        page.cells.append(nbformat.v4.new_markdown_cell(_colophon(page.metadata["quire"])))
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(page, path)


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


def _stage_cell(cell: NotebookNode, name: str) -> None:
    anchor = f"cell-{cell['id']}"
    cell.metadata["quire_anchor"] = anchor
    drawn = 0
    for output in cell.outputs:
        for stored in (CLAIM_MIME, LEDGER_MIME):  # their HTML stands beside them
            output.get("data", {}).pop(stored, None)
        spec = output.get("data", {}).get(charts.VEGALITE_MIME)
        if spec is None:
            continue
        drawn += 1
        output.data = NotebookNode(
            {
                "text/html": figure(
                    spec,
                    f"chart-{name}-{cell['id']}-{drawn}",
                    output.data.get("image/png"),
                    anchor,
                )
            }
        )
    tags = cell.metadata.get("tags", [])
    if drawn and {"remove-input", "remove_input"} & set(tags):
        # Every figure leads to its code: it may be folded, but not be gone.
        kept = [tag for tag in tags if tag not in ("remove-input", "remove_input")]
        cell.metadata["tags"] = [*kept, "hide-input"]


def _colophon(record: Mapping[str, Any]) -> str:
    """Return how the page came to be, folded, as MyST text."""
    given = record.get("parameters") or {}
    chosen = ", ".join(f"`{name} = {value}`" for name, value in given.items()) or "as in its cell"
    memory = record.get("peak_memory_mib")
    packages = record.get("packages", {})
    lines = [
        "````{admonition} How this page was made",
        ":class: dropdown",
        f"- profile `{record.get('profile')}`, parameters {chosen}",
        f"- {record.get('seconds')} s" + (f", {memory:.0f} MiB at the peak" if memory else ""),
        f"- commit `{record.get('commit') or 'unknown'}`",
        f"- {', '.join(f'{name} {version}' for name, version in packages.items())}",
    ]
    for name, digest in sorted((record.get("datasets") or {}).items()):
        lines.append(f"- dataset `{name}`, sha256 `{digest}`")
    return "\n".join((*lines, "````"))
