"""Every test of this folder runs once per chapter of the workbook."""

import pytest

from quire.workbook.chapters import all_chapters


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "chapter" in metafunc.fixturenames:
        chapters = all_chapters()
        metafunc.parametrize("chapter", chapters, ids=[chapter.slug for chapter in chapters])
