"""Terms of the glossary: the first use of each on a chapter's page leads to its definition.

The definition travels with the link, so that the page's script can show it beside the pointer or
the focus without opening another page.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes  # type: ignore[import-untyped]
from sphinx import addnodes
from sphinx.application import Sphinx

GLOSSARY = "book/glossary"

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
def read_glossary(path: Path) -> tuple[dict[str, str], ...]:
    """Return the definitions of a glossary page: per ``{glossary}`` block, by term, as plain text.

    A term stands at the line's beginning, its definition indented below it; several terms on lines
    of their own may share one.
    """
    if not path.is_file():
        return ()
    text = path.read_text(encoding="utf-8")
    blocks = re.findall(r"^(`{3,}|:{3,})\{glossary\}\n(.*?)^\1", text, re.DOTALL | re.MULTILINE)
    return tuple(_read_block(block) for _, block in blocks)


def _read_block(block: str) -> dict[str, str]:
    found: dict[str, str] = {}
    names: list[str] = []
    for line in block.splitlines():
        if line.startswith(":") or not line.strip():
            continue
        if line[0].isspace():
            for name in names:
                found[name] = f"{found.get(name, '')} {line.strip()}".strip()
        else:
            shared = names and names[0] not in found
            names = [*names, line.strip()] if shared else [line.strip()]
    return {name: _plain(words) for name, words in found.items()}


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
    words = "|".join(re.escape(name) for name in sorted(by_word, key=len, reverse=True))
    pattern = re.compile(rf"\b({words})(s|es)?\b", re.IGNORECASE)
    for text in list(_prose(document)):
        _link(text, pattern, by_word, page)
        if not by_word:
            return


def add_definitions(
    app: Sphinx, page: str, _template: str, context: dict[str, Any], _tree: object
) -> None:
    """Write each term's definition onto the links that lead to it."""
    body = context.get("body")
    if not body or page == GLOSSARY:
        return
    objects = app.env.get_domain("std").data["objects"]
    by_anchor = {
        objects["term", name][1]: words
        for block in read_glossary(Path(app.srcdir) / f"{GLOSSARY}.md")
        for name, words in block.items()
        if ("term", name) in objects
    }

    def told(found: re.Match[str]) -> str:
        words = by_anchor.get(found.group(2))
        if words is None:
            return found.group()
        return f'{found.group(1)} data-quire-term="{html.escape(words)}">'

    context["body"] = re.sub(
        r'(<a class="reference internal" href="[^"]*glossary\.html#(term-[^"]+)"[^>]*)>', told, body
    )


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


def _plain(words: str) -> str:
    """Return a definition's markup as plain words."""
    words = re.sub(r"\{\w+\}`([^`<]+)(?:<[^>]*>)?`", r"\1", words)
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", words)
    return re.sub(r"[*`$]", "", words)
