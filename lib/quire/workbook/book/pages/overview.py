"""The overview on the first page: a card per chapter with a picture, a finding and its verdicts."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path

from nbformat import NotebookNode

from quire.workbook import charts
from quire.workbook.book.pages.markup import (
    Ledgers,
    bar,
    count,
    in_words,
    numbered,
    of_role,
    page_of,
    raw,
)
from quire.workbook.chapters import Chapter
from quire.workbook.text import markup

NAME = "the chapters' cards"
"""The place of ``book/index.md`` in which the cards are written; see `inserts`."""

FOLDER = "chapters"
"""Where the pictures lie below the book's ``_static``."""


def cards(executed: Mapping[Chapter, NotebookNode], ledgers: Ledgers) -> str:
    """Return the cards of all chapters, part by part, as MyST text."""
    sections = []
    for part in dict.fromkeys(chapter.part for chapter in executed):
        inside = "\n".join(
            _card(chapter, notebook, ledgers)
            for chapter, notebook in executed.items()
            if chapter.part == part
        )
        sections += [f"### {part}", raw(f'<div class="quire-cards">\n{inside}\n</div>')]
    return "\n\n".join(sections)


def write_pictures(executed: Mapping[Chapter, NotebookNode], static: Path) -> None:
    """Write each chapter's first chart into ``static``, for the light theme and for the dark."""
    folder = static / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for chapter, notebook in executed.items():
        spec = first_chart(notebook)
        if spec is not None:
            plain = {key: value for key, value in spec.items() if key != "title"}
            for theme, drawn in (("light", plain), ("dark", charts.for_dark(plain))):
                picture = _drawn(drawn) or _stored(notebook)
                (folder / f"{chapter.slug}-{theme}.png").write_bytes(picture)


def first_chart(notebook: NotebookNode) -> charts.Spec | None:
    """Return the specification of the notebook's first chart, None when it has none."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            spec = output.get("data", {}).get(charts.VEGALITE_MIME)
            if spec is not None:
                return dict(spec)
    return None


def finding(chapter: Chapter, notebook: NotebookNode) -> str:
    """Return in a sentence what was found: the card's word, or how the chapter opens.

    A chapter opens after its parameters. A sentence with anything but plain words in it (a number
    that the notebook puts there, a formula) is passed over for the card's summary.
    """
    if chapter.card.finding:
        return chapter.card.finding
    seen = False
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            seen = True
        elif seen and cell.cell_type == "markdown":
            plain = " ".join(cell.source.split())
            sentence = re.split(r"(?<=[.!?])\s", plain)[0]
            if not re.search(r"[{}$`#\[\]|<>]", sentence) and len(sentence) > 30:
                return sentence.replace("*", "")
            break
    return chapter.card.summary


def _card(chapter: Chapter, notebook: NotebookNode, ledgers: Ledgers) -> str:
    link = page_of(chapter)
    counts = count(of_role(ledgers[chapter], "claim"))
    pictures = "".join(
        f'<img class="only-{theme}" alt="" loading="lazy" '
        f'src="../_static/{FOLDER}/{chapter.slug}-{theme}.png">'
        for theme in ("light", "dark")
        if first_chart(notebook) is not None
    )
    return (
        f'<article class="quire-card"><div class="quire-card-picture">{pictures}</div>'
        f'<div class="quire-card-words"><h4><a href="{link}">{markup(numbered(chapter))}</a></h4>'
        f"<p>{markup(finding(chapter, notebook))}</p></div>"
        f'<div class="quire-card-verdicts">{bar(counts, "claim")}'
        f"<small>{markup(in_words(counts, 'claim'))}</small></div></article>"
    )


def _drawn(spec: charts.Spec) -> bytes | None:
    try:
        return charts.png(spec)
    except ValueError:  # a chart that needs what was taken away
        return None


def _stored(notebook: NotebookNode) -> bytes:
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if charts.VEGALITE_MIME in output.get("data", {}):
                return base64.b64decode(output["data"].get("image/png", ""))
    return b""
