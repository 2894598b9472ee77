"""Whatever a result depends on is part of its key: edit it, and the key is another."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from quire.workbook import fingerprints
from quire.workbook.chapters import Chapter, find_chapter
from quire.workbook.fingerprints import fingerprint, ingredients
from quire.workbook.imports import follow, read_source
from quire.workbook.notebooks import dumps

REGISTRY = """\
["{name}"]
url = "https://example.org/x.csv"
sha256 = "{sha256}"
bytes = {size}
path = "99-tiny/x.csv"
licence = "CC0-1.0"
citation = "Somebody, Something, 2026"
"""


@pytest.fixture(autouse=True)
def _alone(tiny: Chapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIRE_DATA_MIRROR", str(tmp_path / "no-mirror"))
    monkeypatch.setenv("QUIRE_CACHE", str(tmp_path / "cache"))


def code(chapter: Chapter, source: str, metadata: dict | None = None) -> Chapter:
    """Put ``source`` at the head of the chapter's work cell."""
    notebook = chapter.read()
    cell = next(cell for cell in notebook.cells if cell.id == "work")
    cell.source = f"{source}\n{cell.source}"
    cell.metadata.update(metadata or {})
    chapter.notebook.write_text(dumps(notebook))
    return find_chapter("99")


def changed(chapter: Chapter, edit: Callable[[], object]) -> set[str]:
    """Return the groups of the fingerprint that ``edit`` changes."""
    before = fingerprint(chapter)
    edit()
    after = fingerprint(find_chapter("99"))
    return {group for group in before if before[group] != after[group]}


@pytest.mark.parametrize(
    "line",
    [
        "import helper",
        "from helper import value",
        "import other",  # which imports it
        "import importlib; importlib.import_module('helper')",
        "__import__('helper')",
        "exec(open('helper.py').read())",
        "%run helper.py",
        "import runpy; runpy.run_path('helper.py')",
        "from pathlib import Path; exec((Path('.') / ('hel' + 'per.py')).read_text())",
    ],
)
def test_a_module_beside_the_notebook(tiny: Chapter, line: str) -> None:
    helper = tiny.notebook.with_name("helper.py")
    helper.write_text("value = 1\n")
    tiny.notebook.with_name("other.py").write_text("from helper import value\n")
    chapter = code(tiny, line)
    assert changed(chapter, lambda: helper.write_text("value = 2\n")) >= {"source"}


def test_a_module_that_nothing_imports_is_not(tiny: Chapter) -> None:
    (tiny.notebook.with_name("lonely.py")).write_text("value = 1\n")
    assert not changed(tiny, tiny.notebook.with_name("lonely.py").unlink)


def test_a_package_beside_the_notebook_and_one_on_the_path(
    tiny: Chapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside, far = tiny.notebook.with_name("kit"), tmp_path / "path" / "quire_far_module.py"
    for file in (beside / "__init__.py", beside / "deep.py", far):
        file.parent.mkdir(exist_ok=True)
        file.touch()
    monkeypatch.syspath_prepend(far.parent)
    chapter = code(tiny, "import kit, quire_far_module")
    assert changed(chapter, lambda: (beside / "deep.py").write_text("x = 1\n")) == {"source"}
    assert changed(chapter, lambda: far.write_text("x = 1\n")) == {"packages"}


def test_files_that_the_code_names_and_golden_values(tiny: Chapter) -> None:
    table = tiny.notebook.with_name("table.csv")
    golden = tiny.notebook.parents[1] / "data" / "golden" / "x.json"
    golden.parent.mkdir(parents=True)
    golden.write_text("1")
    table.write_text("1")
    chapter = code(tiny, 'open("table.csv").read(); open("../data/golden/" + "x.json")')
    assert changed(chapter, lambda: table.write_text("2")) == {"data"}
    assert changed(chapter, lambda: golden.write_text("2")) == {"data"}


@pytest.mark.parametrize("named", ["99/x.csv", "98/x.csv"])
def test_a_dataset_its_checksum_and_whether_it_is_here(tiny: Chapter, named: str) -> None:
    data = tiny.notebook.parents[1] / "data"
    (data / "99-tiny").mkdir(parents=True)
    content = b"a,b\n1,2\n"
    good = hashlib.sha256(content).hexdigest()
    registry = data / "registry.toml"
    registry.write_text(REGISTRY.format(name=named, sha256="0" * 64, size=len(content)))
    chapter = code(tiny, f'from quire.workbook import datasets; datasets.path("{named}")')
    text = REGISTRY.format(name=named, sha256=good, size=len(content))
    assert changed(chapter, lambda: registry.write_text(text)) == {"data"}
    assert changed(chapter, lambda: (data / "99-tiny" / "x.csv").write_bytes(content)) == {"data"}
    assert changed(chapter, lambda: (data / "99-tiny" / "x.csv").write_bytes(b"x")) == {"data"}


def test_what_a_claim_needs_and_what_the_environment_says(
    tiny: Chapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def install() -> None:
        (tmp_path / "no-such-program").write_text("#!/bin/sh\n")
        (tmp_path / "no-such-program").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    chapter = code(tiny, 'os.environ.get("QUIRE_TEST_SWITCH")')
    assert changed(chapter, install) == {"needs"}
    for name in ("XLA_FLAGS", "OMP_NUM_THREADS", "QUIRE_TEST_SWITCH"):
        assert changed(chapter, lambda name=name: monkeypatch.setenv(name, "7")) == {"needs"}


def test_the_version_of_a_package_that_is_imported(
    tiny: Chapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    chapter = code(tiny, "import scipy")
    before = ingredients(chapter)["packages"]
    assert {"scipy", "numpy", "python"} <= before.keys()

    def upgrade() -> None:
        fingerprints._versions.cache_clear()
        real = fingerprints.version
        monkeypatch.setattr(
            fingerprints, "version", lambda name: "99" if name == "scipy" else real(name)
        )

    assert changed(chapter, upgrade) == {"packages"}
    fingerprints._versions.cache_clear()


def test_tags_of_cells_and_what_a_notebook_sees_of_its_card(tiny: Chapter) -> None:
    def edit() -> None:
        card = tiny.notebook.with_suffix(".yml")
        card.write_text(card.read_text().replace("expect: {at_least: 0}", "expect: {at_least: 1}"))

    assert not changed(tiny, edit)  # a verdict follows the card of the day
    chapter = code(tiny, "limit = claims.card.claim('99.2').expect")
    card = tiny.notebook.with_suffix(".yml")
    other = card.read_text().replace("expect: {at_least: 1}", "expect: {at_least: 2}")
    assert changed(chapter, lambda: card.write_text(other)) == {"card"}
    assert changed(chapter, lambda: code(chapter, "", {"tags": ["raises-exception"]})) == {"source"}


def test_parameters_that_an_older_run_put_in_are_not_part_of_the_key(tiny: Chapter) -> None:
    def inject() -> None:
        notebook = tiny.read()
        cell = notebook.cells[1].copy()
        cell |= {"source": "size = 50", "id": "x", "metadata": {"tags": ["injected-parameters"]}}
        notebook.cells.insert(2, cell)
        tiny.notebook.write_text(dumps(notebook))

    assert not changed(tiny, inject)


def test_the_rooms_that_a_run_goes_through_are_found_from_imports(tiny: Chapter) -> None:
    """With the real library: no room is forgotten, pages are left out."""
    files = ingredients(code(tiny, "from quire.workbook.timing import race"))["source"]
    rooms = ("execution", "ledger", "verdicts", "needs", "entries", "timing", "datasets", "charts")
    assert {f"workbook/{room}.py" for room in rooms} <= files.keys()
    pages = {"workbook/cli.py", "workbook/scaffold.py", "workbook/book/building.py"}
    assert not pages & files.keys()


def test_a_topic_counts_whole_and_leads_to_the_topics_it_imports(tmp_path: Path) -> None:
    package = tmp_path / "quire"
    for name, text in {
        "__init__.py": "",
        "a/__init__.py": "from .sub import x",
        "a/sub/__init__.py": "from ..b import y",
        "a/b.py": "def f():\n    import quire.c.deep",
        "a/program.py": "",
        "c/__init__.py": "",
        "c/deep.py": "",
        "d/__init__.py": "",
    }.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    found = follow(["import quire.a as a, yaml, json"], [], package)
    names = {file.relative_to(package).as_posix() for file in found.files}
    assert names == {"__init__.py", *(f"a/{n}.py" for n in ("__init__", "b", "program")),
                     "a/sub/__init__.py", "c/__init__.py", "c/deep.py"}  # fmt: skip
    assert found.foreign == {"yaml"}


def test_imports_for_a_type_checker_do_not_run() -> None:
    text = "if TYPE_CHECKING:\n    import pandas\nelse:\n    import numpy\n"
    assert read_source(text).modules == {"numpy"}
