"""A point is another point as soon as anything that its result depends on changes."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.workbook import fingerprints
from quire.workbook.chapters import Chapter
from quire.workbook.errors import UserError
from quire.workbook.points import Point, PointStore, point_key, source_digest

LIBRARY = {
    "__init__.py": "",
    "workbook/__init__.py": '_LATER = {"begin": "ledger", "build_book": "book"}\n\n\n'
    "def __getattr__(name):\n    pass\n",
    "workbook/ledger.py": '"""See quire.unrelated."""\nfrom quire.workbook import needs\n',
    "workbook/needs.py": "",
    "workbook/execution.py": "from quire.workbook.timing import race\n",
    "workbook/timing.py": "",
    "workbook/book.py": "",
    "workbook/cli.py": "",
    "tiny/__init__.py": "from quire.tiny.model import square\n",
    "tiny/model.py": "from quire.helper import twice\n",
    "helper/__init__.py": "",
    "mentioned/__init__.py": "",
    "unrelated/__init__.py": "",
}


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of four topics, of which the chapter's is ``tiny``."""
    root = tmp_path / "quire"
    for name, source in LIBRARY.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(source)
    monkeypatch.setattr(fingerprints, "PACKAGE", root)
    return root


def edit_cell(chapter: Chapter, old: str, new: str) -> None:
    text = chapter.notebook.read_text()
    assert old in text
    chapter.notebook.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    "name",
    [
        "__init__.py",
        "workbook/ledger.py",
        "workbook/needs.py",
        "workbook/timing.py",
        "tiny/__init__.py",
        "tiny/model.py",
        "helper/__init__.py",
    ],
)
def test_source_that_a_run_can_reach_is_part_of_the_key(
    tiny: Chapter, library: Path, name: str
) -> None:
    before = source_digest(tiny)
    with (library / name).open("a") as file:
        file.write("# changed\n")
    assert source_digest(tiny) != before


@pytest.mark.parametrize("name", ["workbook/cli.py", "workbook/book.py", "unrelated/__init__.py"])
def test_source_that_no_run_reaches_is_not(tiny: Chapter, library: Path, name: str) -> None:
    before = source_digest(tiny)
    with (library / name).open("a") as file:
        file.write("# changed\n")
    assert source_digest(tiny) == before


@pytest.mark.parametrize(
    "line",
    [
        "import quire.mentioned",
        "from quire.mentioned import model",
        "from quire import helper, mentioned as m",
        "from quire import (\\n    helper,\\n    mentioned,\\n)",
        "quire.mentioned.model.run()",
    ],
)
def test_a_topic_that_only_the_notebook_names_is_part_of_the_key(
    tiny: Chapter, library: Path, line: str
) -> None:
    edit_cell(tiny, "import os, time\\n", f"{line}\\n")
    before = source_digest(tiny)
    (library / "mentioned" / "__init__.py").write_text("# changed\n")
    assert source_digest(tiny) != before


def test_a_code_cell_is_part_of_the_key_and_prose_and_outputs_are_not(
    tiny: Chapter, library: Path
) -> None:
    before = source_digest(tiny)
    edit_cell(tiny, "# A tiny chapter", "# A small chapter")
    assert source_digest(tiny) == before
    edit_cell(tiny, "size * size", "size * 1 * size")
    assert source_digest(tiny) != before


def test_a_new_file_counts_and_a_moved_library_does_not(
    tiny: Chapter, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = source_digest(tiny)
    elsewhere = library.with_name("elsewhere")
    shutil.copytree(library, elsewhere)
    monkeypatch.setattr(fingerprints, "PACKAGE", elsewhere)
    assert source_digest(tiny) == before
    (elsewhere / "tiny" / "bound.py").touch()
    assert source_digest(tiny) != before


def test_parameters_are_part_of_the_key_in_any_order(tiny: Chapter) -> None:
    key = point_key(tiny, "s", {"size": 1, "word": "plain"})
    assert key == point_key(tiny, "s", {"word": "plain", "size": 1})
    assert len(key) == 64
    others = [
        point_key(tiny, "s", {"size": 2, "word": "plain"}),
        point_key(tiny, "s", {"size": 1.0, "word": "plain"}),
        point_key(tiny, "s", {"size": 1, "word": "raise"}),
        point_key(tiny, "t", {"size": 1, "word": "plain"}),
    ]
    assert len({key, *others}) == 5


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    parameters=st.dictionaries(st.text(), plain, max_size=3),
    claims=st.lists(st.dictionaries(st.text(), plain, max_size=3), max_size=3),
    seconds=st.floats(0, 1e6),
    error=st.text(),
)
@settings(max_examples=40)
def test_a_point_comes_back_as_it_was_saved(
    tmp_path_factory: pytest.TempPathFactory,
    parameters: dict,
    claims: list,
    seconds: float,
    error: str,
) -> None:
    store = PointStore(tmp_path_factory.getbasetemp() / "kept.parquet")
    point = Point("0" * 64, parameters, "done", seconds, tuple(claims), error)
    store.save(point)
    assert store.load(point.key) == point


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"key": "k", "claims": 3}', "\x00"])
def test_a_file_that_is_no_point_is_no_point(tmp_path: Path, text: str) -> None:
    store = PointStore(tmp_path / "kept.parquet")
    store.folder.mkdir()
    (store.folder / "k.json").write_text(text)
    assert store.load("k") is None
    assert store.load("never saved") is None


def test_a_point_is_held_against_its_key_its_parameters_and_its_shape(tmp_path: Path) -> None:
    store = PointStore(tmp_path / "kept.parquet")
    point = Point("k", {"seed": 1}, "done", 1.0)
    store.save(point)
    file = store.folder / "k.json"
    good = file.read_text()
    assert store.load("k", {"seed": 1}) == point
    assert store.load("k", {"seed": 1.0}) is None
    for old, new in (
        ('"seed": 1', '"seed": 999'),
        ('"k"', '"another"'),
        ('"done"', '"perhaps"'),
        ('"claims": []', '"claims": [3]'),
        ("1.0", '"soon"'),
    ):
        file.write_text(good.replace(old, new))
        assert store.load("k", {"seed": 1}) is None, new


def test_one_study_at_a_time_works_on_a_table(tmp_path: Path) -> None:
    store = PointStore(tmp_path / "kept.parquet")
    with store.locked():
        second = PointStore(tmp_path / "kept.parquet").locked()
        with pytest.raises(UserError, match=r"another study is working on .* \(process \d+ on"):
            second.__enter__()
        assert store.folder.exists()
    assert not store.folder.exists()  # nothing was kept
