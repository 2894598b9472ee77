"""A new chapter passes, as it was made, every test that chapters have to pass."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from quire.workbook.errors import UserError
from quire.workbook.scaffold import new_chapter

ROOT = Path(__file__).parents[2]
NOT_COPIED = shutil.ignore_patterns(".git", ".nox", ".venv", "_build", "__pycache__", ".*_cache")


def in_copy(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(copy / "lib")}
    environment.pop("QUIRE_HOME", None)
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_new_chapter_passes_all_tests_of_chapters(tmp_path: Path) -> None:
    copy = tmp_path / "quire"
    shutil.copytree(ROOT, copy, ignore=NOT_COPIED)
    made = in_copy(copy, "quire", "new", "2601.00042", "odd_numbers", "--title", "On odd numbers")
    assert made.returncode == 0, made.stderr
    assert {line.rsplit("/", 2)[-1] for line in made.stdout.split()} >= {
        "16_odd_numbers.ipynb",
        "16_odd_numbers.yml",
        "model.py",
        "test_model.py",
        "_toc.yml",
    }
    tested = in_copy(
        copy,
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/odd_numbers",
        "tests/chapters",
        "tests/workbook/test_walls.py",
        "-k",
        "16_odd_numbers or odd_numbers or workbook",
    )
    assert tested.returncode == 0, tested.stdout
    listed = in_copy(copy, "quire", "claims", "16")
    assert listed.stdout.count("holds") == 2
    again = in_copy(copy, "quire", "new", "2601.00042", "odd_numbers")
    assert again.returncode == 2
    assert "'odd_numbers' is taken" in again.stderr


@pytest.mark.parametrize(
    ("arxiv", "slug", "words"),
    [
        ("26.1", "fine", "not an arXiv id"),
        ("2601.00042", "Not fine", "is not a slug"),
        ("2601.00042", "workbook", "is taken"),
    ],
)
def test_bad_names_are_refused(arxiv: str, slug: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        new_chapter(arxiv, slug)
