"""Staging: from the checkout's sources and executed notebooks to what Sphinx reads.

Nothing is written into the checkout. Each chart of an executed notebook becomes a figure of the
page: its title and the way to its code as text, its specification for the page's script to draw,
and its PNG for a reader without scripts.
"""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
import yaml
from nbformat import NotebookNode

from quire.workbook import charts
from quire.workbook.book import figures
from quire.workbook.book.pages import glance
from quire.workbook.book.pages.markup import bare, processor_of
from quire.workbook.chapters import Chapter
from quire.workbook.entries import CLAIM_MIME, LEDGER_MIME, Entry

# What a page can not show, and HTML does not allow.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f]")


def stage_sources(root: Path, folder: Path, config: Mapping[str, Any]) -> None:
    """Copy prose and style of the workbook at ``root`` into ``folder``; write ``config`` there."""
    shutil.copytree(
        root / "book",
        folder / "book",
        ignore=shutil.ignore_patterns("_static", ".ipynb_checkpoints", "*.ipynb", "*.yml"),
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
    _write(_staged(notebook, path.stem), path)


def stage_chapter(
    chapter: Chapter, notebook: NotebookNode, entries: Sequence[Entry], path: Path
) -> None:
    """Write a chapter as `stage_notebook` does, numbered, with its glance and its colophon.

    Parameters
    ----------
    chapter
        The chapter.
    notebook
        The chapter as executed; it is left as it is.
    entries
        Its executed ledger, of which the page says at its head what held.
    path
        Where the page's source goes.
    """
    page = _staged(notebook, path.stem)
    record = page.metadata.get("quire", {})
    place = _number_title(page, chapter.number)
    head = nbformat.v4.new_markdown_cell(glance.block(chapter, entries, record), id="at-a-glance")
    page.cells.insert(place, head)
    if record:
        page.cells.append(nbformat.v4.new_markdown_cell(_colophon(record), id="colophon"))
    _write(page, path)


def _staged(notebook: NotebookNode, name: str) -> NotebookNode:
    page = copy.deepcopy(notebook)
    for cell in page.cells:
        if cell.cell_type == "code":
            _stage_cell(cell, name)
    return page


def _write(page: NotebookNode, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(page, path)


def _number_title(page: NotebookNode, number: str) -> int:
    """Put the number before the page's title; return the place after the cell that holds it."""
    for place, cell in enumerate(page.cells):
        if cell.cell_type == "markdown" and re.search(r"^# ", cell.source, re.MULTILINE):
            cell.source = re.sub(
                r"^# (.*)$",
                lambda found: f"# {number} · {bare(found.group(1))}",
                cell.source,
                count=1,
                flags=re.MULTILINE,
            )
            return place + 1
    return 0


def _stage_cell(cell: NotebookNode, name: str) -> None:
    anchor = f"cell-{cell['id']}"
    cell.metadata["quire_anchor"] = anchor
    drawn = 0
    for output in cell.outputs:
        for stored in (CLAIM_MIME, LEDGER_MIME):  # their HTML stands beside them
            output.get("data", {}).pop(stored, None)
        _clean(output)
        spec = output.get("data", {}).get(charts.VEGALITE_MIME)
        if spec is None:
            continue
        drawn += 1
        output.data = NotebookNode(
            {
                "text/html": figures.figure(
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


def _clean(output: NotebookNode) -> None:
    """Take out of an output's words what a page can not hold; the colours of terminals stay."""
    for words, key in ((output, "text"), (output.get("data", {}), "text/html")):
        if isinstance(words.get(key), str):
            words[key] = _CONTROL.sub("", words[key])


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
        f"- {processor_of(record) or 'processor unknown'}, "
        f"computed on {record.get('device') or 'an unknown device'}",
        f"- {', '.join(f'{name} {version}' for name, version in packages.items())}",
    ]
    for name, digest in sorted((record.get("datasets") or {}).items()):
        lines.append(f"- dataset `{name}`, sha256 `{digest}`")
    return "\n".join((*lines, "````"))
