"""Print and travel without a browser: order, heads, cover, metadata, checksums, previews."""

from __future__ import annotations

import hashlib
import re
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path
from typing import Any

import pytest

from quire.workbook import cli
from quire.workbook.book import building, previews, printing
from quire.workbook.book.printing import browser, cover, epub, packing, sheets
from quire.workbook.book.printing.metadata import read_metadata
from quire.workbook.chapters import Chapter
from quire.workbook.errors import ChapterFailed, UserError

ROOT = Path(__file__).parents[2]
HEAD = '<link href="../_static/a.css" rel="stylesheet" /><script>window.MathJax = {}</script>'
PAGES = {
    "book/index.html": '<h1>Quire<a class="headerlink" href="#q">#</a></h1>'
    '<p class="quire-travel" hidden></p>'
    '<article class="quire-card"><h4><a href="../notebooks/99_tiny.html">99 · Tiny</a></h4>'
    '<span class="quire-reproduced" style="flex-grow: 2">2</span>'
    '<span class="quire-undecided" style="flex-grow: 1">1</span></article>'
    '<img alt="" src="../_static/a.png">',
    "notebooks/99_tiny.html": '<h1>99 · A "tiny" &lt;chapter&gt;</h1>'
    '<section id="the-idea">\n<h2>The <em>idea</em><a class="headerlink" href="#x">#</a></h2>'
    '<p><a class="reference internal" href="../book/glossary.html#term-pad" title="T">pad</a> and '
    '<a class="reference internal" href="#bound">Theorem 99.1</a>, '
    '<a class="reference internal" href="../book/bibliography.html#id2">2026</a></p></section>'
    '<div class="proof theorem admonition" id="bound"><p class="admonition-title">Theorem</p>'
    '<div class="math notranslate nohighlight" id="equation-e">\\[x \\label{e}\\]</div>'
    '<div id="inside"><a href="#the-idea">by idea</a></div></div>',
    "book/glossary.html": '<h1>Glossary</h1><dl><dt id="term-pad">pad</dt><dt id="term-pads">pads'
    "</dt><dd><p>Used <em>once</em>.</p>\n</dd></dl>",
    "book/bibliography.html": '<h1>Bibliography</h1><div class="citation" id="id2">\n'
    '<span class="label">[<span>A</span>26]</span>\n<p>A. Author. <em>On it</em>.</p></div>',
    "book/library/tiny.html": "<h1>quire.tiny</h1>",
}
CONTENTS = {
    "root": "book/index",
    "parts": [
        {"caption": "Machines", "chapters": [{"file": "notebooks/99_tiny"}]},
        {
            "caption": "Reference",
            "chapters": [
                {"file": "book/glossary"},
                {"file": "book/bibliography"},
                {"file": "book/library", "sections": [{"glob": "book/library/*"}]},
            ],
        },
    ],
}


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """A built book of four pages."""
    folder = tmp_path / "pages"
    for name, body in PAGES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f"<html><head>{HEAD}</head><body><nav></nav>"
            f'<article class="bd-article">{body}</article></body></html>',
            encoding="utf-8",
        )
    source = folder / "_sources" / "notebooks" / "99_tiny.ipynb"
    source.parent.mkdir(parents=True)
    source.write_text("{}")
    return folder


def read(pages: Path) -> tuple[sheets.Sheet, ...]:
    return sheets.read_sheets(pages, CONTENTS)


def test_sheets_stand_in_the_order_of_the_contents_without_the_library(pages: Path) -> None:
    found = read(pages)
    assert [(s.part, s.title, s.name) for s in found] == [
        (sheets.FRONT, "Quire", "index"),
        ("Machines", '99 · A "tiny" <chapter>', "99-tiny"),
        ("Reference", "Glossary", "glossary"),
        ("Reference", "Bibliography", "bibliography"),
    ]
    assert found[1].sections == (sheets.Section("The idea", "the-idea"),)
    assert [sheet.is_chapter for sheet in found] == [False, True, False, False]
    assert 'src="_static/a.png"' in found[0].body
    (pages / "book" / "glossary.html").unlink()
    with pytest.raises(ChapterFailed, match=r"book/glossary\.html is not in the built book"):
        read(pages)


def test_an_elements_inside_ends_where_it_ends() -> None:
    text = '<div id="a">1<div>2</div>3<divider>4</divider></div><div>5</div>'
    assert sheets.inner(text, re.search('<div id="a"', text), "div") == (
        "1<div>2</div>3<divider>4</divider>"
    )
    assert sheets.inner(text, None, "div") == ""
    assert sheets.inner("<div>torn", re.search("<div", "<div>torn"), "div") == ""


def test_the_document_has_all_pages_heads_and_contents(pages: Path) -> None:
    found = read(pages)
    text = sheets.document(pages, found, "Quire & more", "<svg></svg>")
    assert "<title>Quire &amp; more</title>" in text
    assert '<link href="_static/a.css"' in text
    assert "<script>window.MathJax = {}</script>" in text
    assert '@page sheet-99-tiny { @top-left { content: "99 · A \\"tiny\\" <chapter>"; } }' in text
    assert text.count('<section class="sheet') == len(found)
    for place in ("index", "99-tiny", "99-tiny--the-idea", "glossary"):
        assert f'data-place="{place}"' in text


def test_a_title_can_not_end_the_style_of_the_heads() -> None:
    sheet = sheets.Sheet("notebooks/1.html", "", 'a</style>\\"b', (), "")
    assert "</style>" not in sheets.running_heads([sheet])


def test_the_cover_has_a_square_for_every_claim(pages: Path) -> None:
    found = cover.rows(read(pages))
    assert found == (cover.Row("99 · Tiny", (("reproduced", 2), ("undecided", 1))),)
    metadata = read_metadata(ROOT, {})
    drawn = ET.fromstring(cover.draw(metadata, found))
    squares = [e for e in drawn if e.tag.endswith("rect") and e.get("rx") == "4"]
    assert len(squares) == 3 + 5  # and the legend's
    many = tuple(cover.Row("x" * 200, (("differs", 60),)) for _ in range(15))
    for each in ET.fromstring(cover.draw(metadata, many)):
        if each.tag.endswith("rect"):
            assert float(each.get("x", 0)) + float(each.get("width", 0)) <= cover.WIDTH
            assert float(each.get("y", 0)) + float(each.get("height", 0)) <= cover.HEIGHT


def test_metadata_come_from_the_citation_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    cited = read_metadata(ROOT, {"title": "Other"})
    assert cited.full_title == "Quire: An executable workbook of systems papers"
    assert cited.authors == ("The Quire maintainers",)
    assert cited.licence == "BSD-3-Clause"
    assert f"{cited.made:%Y-%m-%d}" == "1970-01-02"
    assert cited.identifier == read_metadata(ROOT, {}).identifier
    plain = read_metadata(tmp_path, {"title": "Mine", "author": "Me"})
    assert (plain.full_title, plain.authors) == ("Mine", ("Me",))
    people = "title: T\nauthors: [{given-names: Ada, family-names: Lovelace}, {name: A Group}]\n"
    (tmp_path / "CITATION.cff").write_text(people)
    assert read_metadata(tmp_path, {}).authors == ("Ada Lovelace", "A Group")
    for torn in ("title: [", "authors: []"):
        (tmp_path / "CITATION.cff").write_text(torn)
        with pytest.raises(UserError, match=r"CITATION\.cff"):
            read_metadata(tmp_path, {})


def test_notebooks_are_packed_with_cards_and_checksums(
    tiny: Chapter, pages: Path, tmp_path: Path
) -> None:
    root = tiny.notebook.parents[1]
    path = tmp_path / "notebooks.zip"
    assert packing.write_notebooks(pages, root, path) == 1
    with zipfile.ZipFile(path) as archive:
        names = ["notebooks/99_tiny.ipynb", "notebooks/99_tiny.yml"]
        assert archive.namelist() == [*names, packing.SUMS]
        told = dict(
            reversed(line.split("  ")) for line in archive.read(packing.SUMS).decode().splitlines()
        )
        assert told == {n: hashlib.sha256(archive.read(n)).hexdigest() for n in names}
    before = path.read_bytes()
    packing.write_notebooks(pages, root, path)
    assert path.read_bytes() == before


def test_without_chromium_or_a_package_there_is_one_line_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(browser.shutil, "which", lambda name: None)
    monkeypatch.setattr(browser.util, "find_spec", lambda name: object())
    assert str(printing.lacking(["pdf"])) == (
        "printing needs Chromium, and none is on the PATH: apt-get install chromium"
    )
    assert printing.lacking(["notebooks"]) is None
    monkeypatch.setattr(browser.util, "find_spec", lambda name: None)
    assert "pip install 'quire-workbook[workbook,print]'" in str(printing.lacking(["epub"]))
    monkeypatch.setattr(browser.util, "find_spec", lambda name: object())
    monkeypatch.setattr(browser.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert printing.lacking(["pdf", "epub"]) is None
    assert browser.program() == "/usr/bin/chromium"


def test_what_can_be_made_is_made_and_offered_where_chromium_is_missing(
    tiny: Chapter, pages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser, "program", lambda: None)
    monkeypatch.setattr(browser.util, "find_spec", lambda name: object())
    told: list[str] = []
    clock = building._Clock(told.append)
    root = tiny.notebook.parents[1]
    fault = building._make(("pdf", "notebooks"), pages, root, CONTENTS, {}, clock)
    assert isinstance(fault, UserError)
    assert "none is on the PATH: apt-get install chromium" in told[-1]
    assert "the pages are built" in told[-1]
    first = (pages / "book" / "index.html").read_text(encoding="utf-8")
    assert 'href="../quire-notebooks.zip"' in first
    assert "quire.pdf" not in first
    digest, name = (pages / packing.SUMS).read_text().split()
    assert name == "quire-notebooks.zip"
    assert digest == hashlib.sha256((pages / name).read_bytes()).hexdigest()
    assert building._make((), pages, root, CONTENTS, {}, clock) is None


def test_the_command_passes_on_what_is_wanted(
    tiny: Chapter, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: dict[str, Any] = {}

    def built(output: Path, *_: object, **options: Any) -> Path:
        given.update(options)
        return output / "index.html"

    monkeypatch.setattr("quire.workbook.book.build_book", built)
    with pytest.raises(SystemExit) as end:
        cli.main(["book", "--no-execute", "--pdf", "--epub", "--notebooks"])
    assert end.value.code == 0
    assert list(given["products"]) == ["pdf", "epub", "notebooks"]
    assert given["execute"] is False


def test_an_epub_leads_to_parts_chapters_and_sections(pages: Path) -> None:
    found = read(pages)
    nav = ET.fromstring(epub.navigation(found))
    links = [e.get("href") for e in nav.iter("{http://www.w3.org/1999/xhtml}a")]
    assert links[:3] == ["index.xhtml", "99-tiny.xhtml", "99-tiny.xhtml#99-tiny--the-idea"]
    page = epub.leaf(found[1], "<p>\x00a<math/></p><img src='quire-image:images/1'/>", {
        "images/1": epub.Item("images/1.png", "image/png", b""),
    })  # fmt: skip
    assert page.properties == "mathml"
    assert b"<p>a<math/></p><img src='images/1.png'/>" in page.content
    assert b"<title>99 \xc2\xb7 A &quot;tiny&quot; &lt;chapter&gt;</title>" in page.content


def test_a_page_carries_what_its_references_lead_to(pages: Path) -> None:
    previews.add_previews(pages)
    page = (pages / "notebooks" / "99_tiny.html").read_text(encoding="utf-8")
    carried = dict(re.findall(r'<template id="([^"]+)">(.*?)</template>', page, re.DOTALL))
    kinds = re.findall(r'data-quire-preview="([^"]+)" data-quire-kind="([^"]+)"', page)
    by_kind = {kind: carried[key] for key, kind in kinds}
    assert by_kind["term"] == "<p>Used <em>once</em>.</p>"
    assert by_kind["citation"] == "<p>A. Author. <em>On it</em>.</p>"
    assert "\\[x \\]" in by_kind["theorem"]
    assert not re.search(r"<a|\bid=", by_kind["theorem"])
    assert 'title="T"' not in page
    assert page.endswith("</template>\n</body></html>")
    untouched = (pages / "book" / "glossary.html").read_text(encoding="utf-8")
    assert "<template" not in untouched


def test_terms_that_share_a_definition_share_a_preview() -> None:
    found = dict(previews.previewed(PAGES["book/glossary.html"]))
    assert found["term-pad"] == found["term-pads"]
    assert found["term-pad"].kind == "term"
