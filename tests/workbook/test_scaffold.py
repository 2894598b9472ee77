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
TITLE = """On "odd" {numbers, it's 100 % of C:\\n & `$x_1` #1 <b>[*]"""
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
    made = in_copy(copy, "quire", "new", "2601.00042", "odd2_numbers", "--title", TITLE)
    assert made.returncode == 0, made.stderr
    assert {line.rsplit("/", 2)[-1] for line in made.stdout.split()} >= {
        "16_odd2_numbers.ipynb",
        "16_odd2_numbers.yml",
        "model.py",
        "experiments.py",
        "exercises.py",
        "test_model.py",
        "test_exercises.py",
        "_toc.yml",
    }
    tested = in_copy(
        copy,
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/odd2_numbers",
        "tests/chapters",
        "tests/workbook/test_walls.py",
        "-k",
        "16_odd2_numbers or odd2_numbers or page_keeps or workbook",
    )
    assert tested.returncode == 0, tested.stdout
    listed = in_copy(copy, "quire", "claims", "16")
    assert listed.stdout.count("holds") == 2
    again = in_copy(copy, "quire", "new", "2601.00042", "odd2_numbers")
    assert again.returncode == 2
    assert "'odd2_numbers' is taken" in again.stderr


@pytest.mark.parametrize(
    ("arxiv", "slug", "words"),
    [
        ("26.1", "fine", "not an arXiv id"),
        ("2601.00042", "Not fine", "is not a slug"),
        ("2601.00042", "workbook", "is taken"),
        ("2601.00042", "sketching", "is taken"),
        ("2601.00042", "class", "a word of Python's own"),
        ("2601.00042", "match", "a word of Python's own"),
        ("2601.00042", "x" * 60, "is not a slug"),
        ("2601.00042", "é", "is not a slug"),
        ("2601.00042\n", "fine", "not an arXiv id"),
        ("２６０１.00042", "fine", "not an arXiv id"),
        ("2613.00042", "fine", "not an arXiv id"),
    ],
)
def test_bad_names_are_refused(arxiv: str, slug: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        new_chapter(arxiv, slug)
