"""Terms of the glossary: the first use of each on a chapter's page leads to its definition.

`previews` lets the page carry the definition, for its script to show it beside the link.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from docutils import nodes  # type: ignore[import-untyped]
from sphinx import addnodes
from sphinx.application import Sphinx

GLOSSARY = "book/glossary"

_BLOCK = re.compile(r"^(`{3,}|:{3,})\{glossary\}\n(.*?)^\1", re.DOTALL | re.MULTILINE)

# Inside these, words are no prose.
_APART = (
    nodes.reference,
    nodes.title,
    nodes.literal,
    nodes.literal_block,
    nodes.math,
    nodes.term,
    addnodes.pending_xref,
    nodes.raw,
)


@cache
def read_glossary(path: Path) -> tuple[tuple[str, ...], ...]:
    """Return the terms of a glossary page, per ``{glossary}`` block.

    A term stands at the line's beginning, its definition indented below it; several terms on lines
    of their own may share one.
    """
    if not path.is_file():
        return ()
    text = path.read_text(encoding="utf-8")
    return tuple(
        tuple(line.strip() for line in block.splitlines() if re.match(r"[^\s:]", line))
        for _, block in _BLOCK.findall(text)
    )


@cache
def read_entries(path: Path) -> tuple[tuple[str, ...], ...]:
    """Return the papers' terms of a glossary page, those that share a definition together."""
    if not path.is_file():
        return ()
    text = path.read_text(encoding="utf-8")
    found: list[tuple[str, ...]] = []
    for block in _BLOCK.findall(text)[1:]:
        names: list[str] = []
        for line in block[1].splitlines():
            if re.match(r"[^\s:]", line):
                names.append(line.strip())
            elif names and line.strip():  # its definition
                found.append(tuple(names))
                names = []
    return tuple(found)


def pattern_of(names: tuple[str, ...]) -> re.Pattern[str]:
    """Return what finds any of these terms in prose, in the plural too, the longest first."""
    words = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.compile(rf"\b({words})(s|es)?\b", re.IGNORECASE)


def link_first_uses(app: Sphinx, document: nodes.document) -> None:
    """Turn the first use of each term in a chapter's prose into a reference to the glossary.

    The first block of the glossary is left out: it explains the words of this workbook, such as
    *claim*, which stand everywhere.
    """
    page = app.env.docname
    if not page.startswith("notebooks/"):
        return
    blocks = read_glossary(Path(app.srcdir) / f"{GLOSSARY}.md")
    by_word = {name.lower(): name for block in blocks[1:] for name in block}
    if not by_word:
        return
    pattern = pattern_of(tuple(by_word))
    for text in list(_prose(document)):
        _link(text, pattern, by_word, page)
        if not by_word:
            return


def _prose(document: nodes.document) -> Iterator[nodes.Text]:
    for paragraph in document.findall(nodes.paragraph):
        for text in paragraph.findall(nodes.Text):
            if not any(isinstance(each, _APART) for each in _above(text)):
                yield text


def _above(node: nodes.Node) -> Iterator[nodes.Node]:
    while node.parent is not None:
        node = node.parent
        yield node


def _link(text: nodes.Text, pattern: re.Pattern[str], by_word: dict[str, str], page: str) -> None:
    """Replace the first use of each term in one text; take the terms found out of ``by_word``."""
    made: list[nodes.Node] = []
    rest = text.astext()
    while found := pattern.search(rest):
        name = by_word.pop(found.group(1).lower(), None)
        made.append(nodes.Text(rest[: found.start()]))
        shown = found.group()
        rest = rest[found.end() :]
        if name is None:  # linked before: only its first use is
            made.append(nodes.Text(shown))
            continue
        link = addnodes.pending_xref(
            "",
            nodes.inline("", shown, classes=["xref", "std", "std-term"]),
            refdomain="std",
            reftype="term",
            reftarget=name,
            refexplicit=True,
            refwarn=True,
            refdoc=page,
        )
        made.append(link)
    if made:
        text.parent.replace(text, [*made, nodes.Text(rest)])
